//! What a process says, and what of it an author can act on.

use std::collections::VecDeque;

use serde_json::Value;

/// Lines that are kept of what was said; the last are the ones that say why it ended.
const LINES_MAX: usize = 30;
/// Longer lines are cut.
const LINE_BYTES_MAX: usize = 2000;
/// workerd puts the name of our service before every word about it.
const SERVICE: &str = "service user: ";

/// How newer versions begin the names of a bundle's modules.
const BUNDLE: &str = "file:///bundle/";

/// Modules of Node that bundles import by their bare names.
const NODE_MODULES: [&str; 24] = [
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "crypto",
    "dns",
    "events",
    "fs",
    "http",
    "https",
    "module",
    "net",
    "os",
    "path",
    "process",
    "querystring",
    "stream",
    "string_decoder",
    "tls",
    "url",
    "util",
    "worker_threads",
    "zlib",
];

/// A line of a process's output.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It listens.
    Ready,
    /// Something is wrong, or was for the operator.
    Complaint(String),
    /// Code of the deployment has printed this.
    Printed,
}

/// Reads a line.
pub(super) fn read(line: &str) -> Said {
    // Most lines are what code has printed, and some of that is long: they are told by what no string in them can hold.
    let is_ours = line.contains("\"source\":\"") || line.contains("\"event\":\"");
    if line.starts_with('{') && !is_ours {
        return Said::Printed;
    }
    let json: Option<Value> = line.starts_with('{').then(|| serde_json::from_str(line).ok()).flatten();
    let Some(json) = json else { return Said::Complaint(line.to_owned()) };
    if json.get("event").and_then(Value::as_str) == Some("listen") {
        return Said::Ready;
    }
    let level = json.get("level").and_then(Value::as_str);
    // Only the program itself says where in its own sources a line comes from.
    match (level, json.get("source"), json.get("message").and_then(Value::as_str)) {
        (Some("error" | "fatal"), Some(_), Some(message)) => Said::Complaint(message.to_owned()),
        _ => Said::Printed,
    }
}

/// The last complaints of a process.
#[derive(Debug, Default)]
pub(super) struct Complaints(VecDeque<String>);

impl Complaints {
    /// Adds one.
    pub(super) fn add(&mut self, complaint: &str) {
        for line in complaint.lines() {
            if self.0.len() == LINES_MAX {
                self.0.pop_front();
            }
            let end = line.floor_char_boundary(LINE_BYTES_MAX);
            self.0.push_back(line[..end].to_owned());
        }
    }

    /// For the operator's log.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// For the author of Functions that did not start: what is wrong, and what to do where that is clear.
    pub(super) fn for_author(&self, flags: &[String]) -> Vec<String> {
        let mut lines = vec!["The Functions of this deployment do not start:".to_owned()];
        for line in &self.0 {
            let line = line.strip_prefix(SERVICE).unwrap_or(line);
            let line = line.strip_prefix("Uncaught ").unwrap_or(line);
            lines.push(format!("  {}", line.replace(BUNDLE, "")));
            lines.extend(advice(line, flags).map(|advice| format!("  → {advice}")));
        }
        if self.0.is_empty() {
            lines.push("  workerd ended without a word.".into());
        }
        lines
    }
}

/// What to do about a complaint.
fn advice(line: &str, flags: &[String]) -> Option<String> {
    if let Some(flag) = line.strip_prefix("No such compatibility flag: ") {
        return Some(format!(
            "Take \"{flag}\" out of compatibility_flags: this server's workerd does not know it. A newer one may."
        ));
    }
    if line.contains("is experimental and may break") {
        let flag = line.strip_prefix("The compatibility flag ")?.split(' ').next()?;
        return Some(format!("Take \"{flag}\" out of compatibility_flags: experimental flags are off here."));
    }
    if line.starts_with("Compatibility flags are mutually contradictory") {
        return Some("Take one of the two out of compatibility_flags.".into());
    }
    if line.contains("Disallowed operation called within global scope") {
        return Some(
            "Move the call into onRequest or fetch(): code outside of them runs once, without a request."
                .into(),
        );
    }
    let module = missing_module(line)?;
    let node = module.strip_prefix("node:").unwrap_or(module);
    let has_node = flags.iter().any(|flag| flag.starts_with("nodejs_compat"));
    if !has_node && NODE_MODULES.contains(&node) {
        return Some("This is a module of Node.js: add nodejs_compat to compatibility_flags.".into());
    }
    Some("It is not in the bundle that was uploaded: is it installed, and spelled as its file is?".into())
}

/// The module that a complaint misses. Newer compatibility dates say it in other words.
fn missing_module(line: &str) -> Option<&str> {
    if let Some((_, module)) = line.split_once("No such module \"") {
        return module.split('"').next();
    }
    let (_, module) = line.split_once("Module not found: ")?;
    Some(module.strip_prefix(BUNDLE).unwrap_or(module))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> String {
        serde_json::json!({"timestamp": "1", "level": "error", "source": "src/x.rs:1", "message": message})
            .to_string()
    }

    fn for_author(message: &str, flags: &[&str]) -> String {
        let Said::Complaint(message) = read(&said(message)) else { panic!("{message}") };
        let mut complaints = Complaints::default();
        complaints.add(&message);
        complaints.for_author(&flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>()).join("\n")
    }

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(read(r#"{"event":"listen","socket":"http","port":0}"#), Said::Ready);
        assert_eq!(
            read(r#"{"timestamp":1,"level":"error","message":"{\"event\":\"listen\"}"}"#),
            Said::Printed
        );
        assert_eq!(read("terminate called"), Said::Complaint("terminate called".into()));
        assert_eq!(read(&said("service user: x")), Said::Complaint("service user: x".into()));
    }

    #[test]
    fn an_author_reads_what_is_wrong_and_what_to_do() {
        for (message, flags, words) in [
            (
                "service user: Uncaught SyntaxError: Unexpected end of input\n  at index.js:1:26",
                &[][..],
                "  at index.js:1:26",
            ),
            ("service user: No such compatibility flag: x_y", &[], "Take \"x_y\" out"),
            (
                "service user: The compatibility flag experimental is experimental and may break or",
                &[],
                "Take \"experimental\" out",
            ),
            (
                "service user: Compatibility flags are mutually contradictory: a vs b",
                &[],
                "Take one of the two",
            ),
            (
                "service user: Uncaught Error: No such module \"fs\".\n  imported from \"a\"",
                &[],
                "add nodejs_compat",
            ),
            ("service user: Uncaught Error: No such module \"fs\".", &["nodejs_compat"], "not in the bundle"),
            ("service user: Uncaught Error: No such module \"lib.js\".", &[], "not in the bundle"),
            (
                "service user: Uncaught Error: Module not found: file:///bundle/lib.js",
                &[],
                "  Error: Module not found: lib.js",
            ),
            ("service user: Uncaught Error: Module not found: node:fs", &[], "add nodejs_compat"),
            (
                "service user: Uncaught Error: Disallowed operation called within global scope. Asyn",
                &[],
                "into onRequest",
            ),
        ] {
            let text = for_author(message, flags);
            assert!(text.contains(words) && !text.contains("service user"), "{text}");
        }
    }
}

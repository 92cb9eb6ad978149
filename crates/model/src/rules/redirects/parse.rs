//! Reading a `_redirects` file (Cloudflare Pages serving rules, "Parsing `_redirects`").

use std::collections::HashSet;

use super::{DYNAMIC_RULES_MAX, ParsedRedirects, RedirectRule, RedirectStatus, STATIC_RULES_MAX};
use crate::rules::line::{
    UrlPolicy, is_blank, is_too_long, split_absolute, too_long_message, trim, validate_url,
};
use crate::rules::pattern::is_dynamic;
use crate::rules::{Issues, RuleIssue};

const LOOP_MESSAGE: &str = "Infinite loop detected in this rule and has been ignored. This will cause a redirect \
    to strip `.html` or `/index` and end up triggering this rule again. Please fix or remove this rule to silence \
    this warning.";

/// Reads a `_redirects` file. It never fails as a whole: bad lines are left out with a message.
pub fn parse(file: &str) -> ParsedRedirects {
    let mut parser = Parser::default();
    let lines: Vec<&str> = file.split('\n').collect();
    for (at, line) in lines.iter().enumerate() {
        let line = trim(line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parser.read_line(line, at + 1, lines.len() - at) {
            Ok(()) => {}
            Err(Refusal::Line(message)) => parser.issues.push(RuleIssue::at(line, at + 1, message)),
            Err(Refusal::General(message)) => parser.issues.push(RuleIssue::general(message)),
            Err(Refusal::RestOfFile(message)) => {
                parser.issues.push(RuleIssue::general(message));
                break;
            }
        }
    }
    ParsedRedirects { rules: parser.rules, issues: parser.issues.finish() }
}

#[derive(Default)]
struct Parser {
    rules: Vec<RedirectRule>,
    issues: Issues,
    seen: HashSet<String>,
    static_count: usize,
    dynamic_count: usize,
}

enum Refusal {
    Line(String),
    General(String),
    RestOfFile(String),
}

impl Parser {
    /// The order of the checks is the reference's: it decides which message is shown, which lines
    /// count towards the limits and which sources are taken.
    fn read_line(&mut self, line: &str, line_number: usize, lines_left: usize) -> Result<(), Refusal> {
        if is_too_long(line) {
            return Err(Refusal::General(too_long_message(line_number)));
        }
        let tokens: Vec<&str> =
            without_comment(line).split(is_blank).filter(|token| !token.is_empty()).collect();
        let (source, target, status) = match tokens[..] {
            [source, target] => (source, target, None),
            [source, target, status] => (source, target, Some(status)),
            _ => {
                let count = tokens.len();
                return Err(Refusal::Line(format!(
                    "Expected exactly 2 or 3 whitespace-separated tokens. Got {count}."
                )));
            }
        };
        let from = validate_url(source, UrlPolicy::RedirectSource).map_err(Refusal::Line)?;
        self.count(&from, lines_left)?;
        let to = validate_url(target, UrlPolicy::RedirectTarget).map_err(Refusal::Line)?;
        let status = parse_status(status)?;
        self.accept(RedirectRule { from, to, status, line_number })
    }

    /// Counts a rule towards the limits, whether or not it turns out to be valid.
    fn count(&mut self, from: &str, lines_left: usize) -> Result<(), Refusal> {
        if self.dynamic_count == 0 && !is_dynamic(from) {
            self.static_count += 1;
            if self.static_count > STATIC_RULES_MAX {
                return Err(Refusal::General(format!(
                    "Maximum number of static rules supported is {STATIC_RULES_MAX}. Skipping line."
                )));
            }
        } else {
            self.dynamic_count += 1;
            if self.dynamic_count > DYNAMIC_RULES_MAX {
                return Err(Refusal::RestOfFile(format!(
                    "Maximum number of dynamic rules supported is {DYNAMIC_RULES_MAX}. \
                     Skipping remaining {lines_left} lines of file."
                )));
            }
        }
        Ok(())
    }

    fn accept(&mut self, rule: RedirectRule) -> Result<(), Refusal> {
        if would_loop(&rule.from, &rule.to) {
            return Err(Refusal::Line(LOOP_MESSAGE.to_owned()));
        }
        if !self.seen.insert(rule.from.clone()) {
            return Err(Refusal::Line(format!("Ignoring duplicate rule for path {}.", rule.from)));
        }
        if rule.status == RedirectStatus::Rewrite && split_absolute(&rule.to).is_some() {
            return Err(Refusal::Line(format!(
                "Proxy (200) redirects can only point to relative paths. Got {}",
                rule.to
            )));
        }
        self.rules.push(rule);
        Ok(())
    }
}

/// Cuts a comment that follows the rule: the first blank with a `#` after it. `/b#frag` stays whole.
fn without_comment(line: &str) -> &str {
    let mut after_blank = false;
    for (at, character) in line.char_indices() {
        if character == '#' && after_blank {
            return &line[..at];
        }
        after_blank = is_blank(character);
    }
    line
}

fn parse_status(token: Option<&str>) -> Result<RedirectStatus, Refusal> {
    let Some(token) = token else { return Ok(RedirectStatus::Found) };
    javascript_integer(token).and_then(RedirectStatus::from_code).ok_or_else(|| {
        Refusal::Line(format!(
            "Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got {token}."
        ))
    })
}

/// What `Number(token)` gives, where that is a small whole number: `301`, `301.0`, `3.01e2`, `0x12d`.
fn javascript_integer(token: &str) -> Option<u16> {
    for (prefixes, radix) in [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)] {
        if let Some(digits) = prefixes.iter().find_map(|prefix| token.strip_prefix(prefix)) {
            return digits
                .bytes()
                .all(|byte| byte != b'+')
                .then(|| u16::from_str_radix(digits, radix).ok())?;
        }
    }
    if !token.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    let number: f64 = token.parse().ok()?;
    (number.fract() == 0.0 && (0.0..1000.0).contains(&number)).then_some(number as u16)
}

/// True for the rules whose target is redirected straight back to their source: `/* /index.html 200`.
fn would_loop(from: &str, to: &str) -> bool {
    let source_is_directory = from.ends_with('/') || from.ends_with("/*");
    if !source_is_directory || !to.starts_with('/') {
        return false;
    }
    // As in the reference, any one character may stand where the dot of `.html` does.
    to.ends_with("/index")
        || to.strip_suffix("html").is_some_and(|head| {
            let mut characters = head.chars();
            characters.next_back().is_some() && characters.as_str().ends_with("/index")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULE_ISSUES_MAX;

    #[test]
    fn statuses_are_javascript_numbers() {
        for (token, status) in [("301", 301), ("301.0", 301), ("3.01e2", 301), ("0x12d", 301), ("0302", 302)]
        {
            assert_eq!(javascript_integer(token), Some(status), "{token}");
        }
        for token in ["301!", "inf", "NaN", "301.5", "-301", "", "0x", "0x+1"] {
            assert!(javascript_integer(token).and_then(RedirectStatus::from_code).is_none(), "{token}");
        }
    }

    #[test]
    fn comments_need_a_blank_before_them() {
        assert_eq!(without_comment("/a /b#frag  # note"), "/a /b#frag  ");
        assert_eq!(parse("/a /b  # note").rules.len(), 1);
    }

    #[test]
    fn a_file_of_rubbish_says_so_briefly() {
        let parsed = parse(&format!("{}/a /b", "x\n".repeat(RULE_ISSUES_MAX + 7)));
        assert_eq!(parsed.rules.len(), 1);
        assert_eq!(parsed.issues.len(), RULE_ISSUES_MAX + 1);
        assert_eq!(parsed.issues[RULE_ISSUES_MAX].message, "7 more problems of this file are not shown.");
    }

    proptest::proptest! {
        #[test]
        fn any_text_parses(file in "([/a:* #\u{a0}\t0-9h.]|\\PC|\n){0,200}") {
            let parsed = parse(&file);
            super::super::Redirects::compile(&parsed.rules);
        }
    }
}

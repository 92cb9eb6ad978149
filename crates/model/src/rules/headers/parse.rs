//! Reading a `_headers` file (Cloudflare Pages serving rules, "Parsing `_headers`").

use super::{HEADER_LINES_MAX, HEADER_RULES_MAX, HeaderRule, ParsedHeaders};
use crate::rules::line::{UrlPolicy, is_blank, is_too_long, too_long_message, trim, validate_url};
use crate::rules::{Issues, RuleIssue};

/// Reads a `_headers` file. It never fails as a whole: bad lines are left out with a message.
///
/// Indentation means nothing; whether a line is a path is seen by its beginning.
pub fn parse(file: &str) -> ParsedHeaders {
    let mut parser = Parser::default();
    let lines: Vec<&str> = file.split('\n').collect();
    for (at, line) in lines.iter().enumerate() {
        let line = trim(line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if is_too_long(line) {
            parser.issues.push(RuleIssue::general(too_long_message(at + 1)));
            continue;
        }
        if !looks_like_path(line) {
            if parser.header_lines == HEADER_LINES_MAX {
                parser.issues.push(RuleIssue::general(format!(
                    "Maximum number of header lines supported is {HEADER_LINES_MAX}. Skipping remaining {} lines of file.",
                    lines.len() - at
                )));
                break;
            }
            parser.read_header(line, at + 1);
            continue;
        }
        // The block being read is stored only after this check, so one rule more than the limit fits.
        if parser.rules.len() >= HEADER_RULES_MAX {
            parser.issues.push(RuleIssue::general(format!(
                "Maximum number of rules supported is {HEADER_RULES_MAX}. Skipping remaining {} lines of file.",
                lines.len() - at
            )));
            break;
        }
        parser.finish_block(Some(at + 1));
        parser.begin_block(line, at + 1);
    }
    parser.finish_block(None);
    ParsedHeaders { rules: parser.rules, issues: parser.issues.finish() }
}

/// A line that begins with `/`, or with a scheme: no blank before its `://`.
fn looks_like_path(line: &str) -> bool {
    line.starts_with('/') || line.find("://").is_some_and(|at| at > 0 && !line[..at].contains(is_blank))
}

#[derive(Default)]
struct Parser {
    rules: Vec<HeaderRule>,
    issues: Issues,
    block: Block,
    /// Lines below paths that were not refused, usable or not.
    header_lines: usize,
}

/// Where the header lines go.
#[derive(Default)]
enum Block {
    /// No path line yet.
    #[default]
    None,
    /// The path line was refused: its headers are skipped without a word.
    Refused,
    Open {
        line: String,
        rule: HeaderRule,
    },
}

impl Parser {
    fn finish_block(&mut self, line_number: Option<usize>) {
        if let Block::Open { line, rule } = std::mem::replace(&mut self.block, Block::None) {
            if rule.set.is_empty() && rule.unset.is_empty() {
                let message = "No headers specified".to_owned();
                self.issues.push(RuleIssue { line: Some(line), line_number, message });
            } else {
                self.rules.push(rule);
            }
        }
    }

    fn begin_block(&mut self, line: &str, line_number: usize) {
        let path = validate_url(line, UrlPolicy::HeaderPath).and_then(|path| match wildcard_error(&path) {
            Some(message) => Err(message),
            None => Ok(path),
        });
        self.block = match path {
            Ok(path) => {
                Block::Open { line: line.to_owned(), rule: HeaderRule { path, ..HeaderRule::default() } }
            }
            Err(message) => {
                self.issues.push(RuleIssue::at(line, line_number, message));
                Block::Refused
            }
        };
    }

    fn read_header(&mut self, line: &str, line_number: usize) {
        if matches!(self.block, Block::Refused) {
            return;
        }
        self.header_lines += 1;
        let result = match line.split_once(':') {
            None => self.read_removal(line),
            Some((name, value)) => self.read_setting(name, value),
        };
        if let Err(message) = result {
            self.issues.push(RuleIssue::at(line, line_number, message));
        }
    }

    fn read_removal(&mut self, line: &str) -> Result<(), String> {
        let Block::Open { rule, .. } = &mut self.block else {
            return Err("Expected a path beginning with at least one forward-slash".to_owned());
        };
        let name =
            line.strip_prefix("! ").ok_or("Expected a colon-separated header pair (e.g. name: value)")?;
        rule.unset.push(trim(name).to_owned());
        Ok(())
    }

    fn read_setting(&mut self, name: &str, value: &str) -> Result<(), String> {
        let name = trim(name).to_lowercase();
        if name.contains(' ') {
            return Err("Header name cannot include spaces".to_owned());
        }
        let value = trim(value);
        if name.is_empty() {
            return Err("No header name specified".to_owned());
        }
        if value.is_empty() {
            return Err("No header value specified".to_owned());
        }
        let Block::Open { rule, .. } = &mut self.block else {
            return Err(format!("Path should come before header ({name}: {value})"));
        };
        match rule.set.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => {
                values.push_str(", ");
                values.push_str(value);
            }
            None => rule.set.push((name, value.to_owned())),
        }
        Ok(())
    }
}

fn wildcard_error(path: &str) -> Option<String> {
    let stars = path.matches('*').count();
    if stars > 1 {
        return Some(format!(
            "Only one wildcard is allowed per rule. Use a named placeholder (e.g. :project) instead. Skipping {path}."
        ));
    }
    (stars == 1 && names_splat(path)).then(|| {
        format!(
            "Cannot combine a wildcard * with a :splat placeholder because wildcards are converted to :splat at \
             runtime. Skipping {path}."
        )
    })
}

/// True if the path holds the placeholder `:splat`, and not merely a longer name.
fn names_splat(path: &str) -> bool {
    path.match_indices(":splat").any(|(at, found)| {
        !path[at + found.len()..].starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_line_leaves_its_headers_to_the_previous_rule() {
        let parsed = parse(&format!("/a\n  X: 1\n/{}\n  Y: 2", "x".repeat(2000)));
        assert_eq!(parsed.rules.len(), 1);
        assert_eq!(parsed.rules[0].set.len(), 2);
    }

    #[test]
    fn reading_stops_when_there_are_too_many_headers() {
        let header = |at: usize| format!("  h{at}: 1\n");
        let file = format!("/a\n{}/b\n", (0..=HEADER_LINES_MAX).map(header).collect::<String>());
        let parsed = parse(&file);
        assert_eq!(parsed.rules.len(), 1);
        assert_eq!(parsed.rules[0].set.len(), HEADER_LINES_MAX);
        assert_eq!(parsed.issues.len(), 1);
        assert!(parsed.issues[0].message.ends_with("Skipping remaining 3 lines of file."));
    }

    proptest::proptest! {
        #[test]
        fn any_text_parses(file in "([/a:!* #\u{a0}\thtps.]|\\PC|\n){0,200}") {
            let parsed = parse(&file);
            super::super::HeaderRules::compile(&parsed);
        }
    }
}

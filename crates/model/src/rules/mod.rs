//! The rule files a site may carry: `_redirects`, `_headers`, `_routes.json`; early hints; Web Analytics.
//!
//! Each is parsed and compiled once, when a deployment is sealed or first served, and then only
//! matched. Parsers never fail as a whole: what they cannot use becomes a [`RuleIssue`] for the build
//! log, worded as Cloudflare words it.

pub mod analytics;
pub mod early_hints;
pub mod headers;
mod html;
mod line;
pub mod pattern;
pub mod redirects;
pub mod routes;

/// A line of a rule file that was not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleIssue {
    /// The trimmed line; absent where the message is about the file.
    pub line: Option<String>,
    /// Counted from 1; absent where the message itself says it or the rule ends with the file.
    pub line_number: Option<usize>,
    /// What a person reads in the build log.
    pub message: String,
}

/// Issues that are kept of one file; a note says how many more there are.
pub const RULE_ISSUES_MAX: usize = 10_000;

/// The issues of a file under way. Files come from strangers, and a bad line costs less than its message.
#[derive(Default)]
struct Issues {
    kept: Vec<RuleIssue>,
    left_out: usize,
}

impl Issues {
    fn push(&mut self, issue: RuleIssue) {
        if self.kept.len() < RULE_ISSUES_MAX {
            self.kept.push(issue);
        } else {
            self.left_out += 1;
        }
    }

    fn finish(mut self) -> Vec<RuleIssue> {
        if self.left_out > 0 {
            let message = format!("{} more problems of this file are not shown.", self.left_out);
            self.kept.push(RuleIssue::general(message));
        }
        self.kept
    }
}

impl RuleIssue {
    fn at(line: &str, line_number: usize, message: impl Into<String>) -> Self {
        Self { line: Some(line.to_owned()), line_number: Some(line_number), message: message.into() }
    }

    fn general(message: String) -> Self {
        Self { line: None, line_number: None, message }
    }
}

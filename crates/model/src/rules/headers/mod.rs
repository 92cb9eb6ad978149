//! `_headers`: header lines to set on, or remove from, what the assets answer.
//!
//! [`parse`] reads the file; [`HeaderRules::compile`] merges and compiles its rules;
//! [`HeaderRules::for_each_change`] applies them to one request.

mod apply;
mod parse;

pub use apply::{HeaderAction, HeaderRules, HeaderValueRef, SUBSTITUTION_WORK_MAX, SetHeader};
pub use parse::parse;

use super::RuleIssue;

/// Rules after which the reading of a file stops. (One more may already be under way.)
pub const HEADER_RULES_MAX: usize = 100;
/// Lines with headers after which the reading of a file stops. This limit is ours: it keeps what a hostile
/// file costs, and what an answer can carry, within bounds.
pub const HEADER_LINES_MAX: usize = 5000;

/// One block of a `_headers` file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRule {
    /// Normalised path, or `https://host/path`.
    pub path: String,
    /// Names (lower case) and values to set; a name stands here once.
    pub set: Vec<(String, String)>,
    /// Names to remove, as written.
    pub unset: Vec<String>,
}

/// What a `_headers` file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedHeaders {
    /// The blocks to use, in file order; a path may stand here more than once.
    pub rules: Vec<HeaderRule>,
    /// The lines that were not used, and why.
    pub issues: Vec<RuleIssue>,
}

impl ParsedHeaders {
    /// The blocks that count: a later block with the same path replaces the earlier one, in its place.
    pub fn effective(&self) -> Vec<&HeaderRule> {
        let mut effective: Vec<&HeaderRule> = Vec::new();
        for rule in &self.rules {
            match effective.iter_mut().find(|earlier| earlier.path == rule.path) {
                Some(earlier) => *earlier = rule,
                None => effective.push(rule),
            }
        }
        effective
    }
}

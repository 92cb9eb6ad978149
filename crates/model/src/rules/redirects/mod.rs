//! `_redirects`: rules that answer, or rewrite, before any asset is looked at.
//!
//! [`parse`] reads the file; [`Redirects::compile`] sorts the rules into the two stores which Pages
//! uses; [`Redirects::find`] answers a request.

mod apply;
mod parse;

pub use apply::{RedirectAction, Redirects, UnusableTarget};
pub use parse::parse;

use super::RuleIssue;

/// Plain rules that are read from one file.
pub const STATIC_RULES_MAX: usize = 2000;
/// Rules with wildcards, and all rules after the first of them, that are read from one file.
pub const DYNAMIC_RULES_MAX: usize = 100;

/// The statuses a rule may have; anything else is refused when the file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RedirectStatus {
    /// 200: a rewrite; the target is served under the requested URL.
    Rewrite,
    /// 301
    MovedPermanently,
    /// 302, the default
    Found,
    /// 303
    SeeOther,
    /// 307
    TemporaryRedirect,
    /// 308
    PermanentRedirect,
}

impl RedirectStatus {
    /// The status as a number.
    pub const fn code(self) -> u16 {
        match self {
            Self::Rewrite => 200,
            Self::MovedPermanently => 301,
            Self::Found => 302,
            Self::SeeOther => 303,
            Self::TemporaryRedirect => 307,
            Self::PermanentRedirect => 308,
        }
    }

    /// The status with this number, if a rule may have it.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            200 => Self::Rewrite,
            301 => Self::MovedPermanently,
            302 => Self::Found,
            303 => Self::SeeOther,
            307 => Self::TemporaryRedirect,
            308 => Self::PermanentRedirect,
            _ => return None,
        })
    }
}

/// One valid rule, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectRule {
    /// Normalised source path.
    pub from: String,
    /// Normalised target: a path or an `https` URL, with placeholders.
    pub to: String,
    /// What the rule does.
    pub status: RedirectStatus,
    /// Counted from 1.
    pub line_number: usize,
}

/// What a `_redirects` file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedRedirects {
    /// The rules to use, in file order.
    pub rules: Vec<RedirectRule>,
    /// The lines that were not used, and why.
    pub issues: Vec<RuleIssue>,
}

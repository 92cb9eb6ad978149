//! What the fuzz targets share: the checks that hold for more than one of them.

use offprint_model::request_path::{RequestUrl, Scheme};
use offprint_model::rules::{RULE_ISSUES_MAX, RuleIssue};

/// The site that all requests of the targets are for.
pub const HOST: &str = "site.example";

/// A request for the site.
pub const fn request<'a>(path: &'a str, search: &'a str) -> RequestUrl<'a> {
    RequestUrl { scheme: Scheme::Https, authority: HOST, host: HOST, path, search }
}

/// Paths that are asked for besides those that an input names itself.
pub const PATHS: [&str; 8] =
    ["/", "/a", "/a/", "/a/b", "/a/b/c.html", "/%2e%2e/x%20y", "//a//b", "/$&/$'/$`/$$:splat"];

/// Splits an input at its first line break, so that seeds can be written by hand.
pub fn split_line(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, b""),
    }
}

/// Checks that every issue names a line which the file has, and says something.
///
/// # Panics
/// If one does not.
pub fn check_issues(file: &str, issues: &[RuleIssue]) {
    let lines: Vec<&str> = file.split('\n').collect();
    for issue in issues {
        assert!(!issue.message.is_empty() && !issue.message.contains('\n'), "{issue:?}");
        if let Some(number) = issue.line_number {
            assert!((1..=lines.len()).contains(&number), "{issue:?}");
        }
        if let Some(line) = &issue.line {
            assert!(lines.iter().any(|known| known.contains(line.as_str())), "{issue:?}");
        }
    }
    // One about the line itself, and one about the block that ends there.
    assert!(issues.len() <= 2 * lines.len() && issues.len() <= RULE_ISSUES_MAX + 1);
}

/// Checks that a `Location` of a redirect can stand in a header and, if it is a path, stays on the site.
///
/// # Panics
/// If it does not.
pub fn check_location(location: &str) {
    assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{location:?}");
    if let Some(rest) = location.strip_prefix('/') {
        assert!(!rest.starts_with(['/', '\\']), "{location:?}");
    } else {
        assert!(location.starts_with("https://"), "{location:?}");
    }
}

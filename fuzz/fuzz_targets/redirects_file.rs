//! `_redirects`: reading, compiling, answering.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint_fuzz::{PATHS, check_issues, check_location, request};
use offprint_model::request_path::RequestTarget;
use offprint_model::rules::redirects::{
    DYNAMIC_RULES_MAX, RedirectAction, RedirectRule, RedirectStatus, Redirects, STATIC_RULES_MAX, parse,
};

fuzz_target!(|input: &[u8]| {
    let Ok(file) = std::str::from_utf8(input) else { return };
    let parsed = parse(file);
    check_issues(file, &parsed.issues);
    assert!(parsed.rules.len() <= STATIC_RULES_MAX + DYNAMIC_RULES_MAX);
    let mut last_line = 0;
    for rule in &parsed.rules {
        check_rule(rule);
        assert!(rule.line_number > last_line && rule.line_number <= file.split('\n').count());
        last_line = rule.line_number;
    }
    let redirects = Redirects::compile(&parsed.rules);
    assert!(redirects.fixed_sources().is_sorted());
    assert!(redirects.fixed_sources().count() <= STATIC_RULES_MAX);
    let sources = parsed.rules.iter().take(20).map(|rule| rule.from.as_str());
    for path in PATHS.into_iter().chain(sources) {
        for search in ["", "?x=1"] {
            answer(&redirects, path, search);
        }
    }
});

fn check_rule(rule: &RedirectRule) {
    assert!(rule.from.starts_with('/') && rule.from.bytes().all(|byte| byte.is_ascii_graphic()));
    let is_relative = rule.to.starts_with('/');
    assert!(is_relative || rule.to.starts_with("https://"));
    assert!(is_relative || rule.status != RedirectStatus::Rewrite);
    assert!(!rule.to.contains('\n'));
}

fn answer(redirects: &Redirects, path: &str, search: &str) {
    let path = RequestTarget::parse(path).path;
    match redirects.find(&request(&path, search)) {
        None | Some(Err(_)) => {}
        Some(Ok(RedirectAction::Rewrite(path))) => {
            assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Some(Ok(RedirectAction::Redirect { status, location })) => {
            assert_ne!(status, RedirectStatus::Rewrite);
            check_location(&location);
        }
    }
}

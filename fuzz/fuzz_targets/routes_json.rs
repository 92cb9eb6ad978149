//! `_routes.json`: which requests reach the Worker.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint_fuzz::PATHS;
use offprint_model::rules::routes::{ROUTE_RULE_LENGTH_MAX, ROUTE_RULES_MAX, RouteRule, Routes};
use offprint_wire::routes_json;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some(spec) = routes_json::read(text) else {
        assert!(routes_json::check(text).is_err());
        return;
    };
    let rules = || spec.include.iter().chain(&spec.exclude);
    // Any text can be matched, whether or not it is a legal rule.
    for rule in rules().take(20) {
        let compiled = RouteRule::compile(rule);
        for path in PATHS.into_iter().chain(rules().take(20).map(String::as_str)) {
            assert_eq!(compiled.matches(path), expected(rule, path), "{rule:?} for {path:?}");
        }
    }
    let routes = match Routes::compile(&spec) {
        Ok(routes) => routes,
        Err(error) => {
            assert_eq!(routes_json::check(text), Err(error));
            return;
        }
    };
    assert_eq!(routes_json::check(text), Ok(()));
    assert!(spec.version == 1 && !spec.include.is_empty());
    assert!(rules().count() <= ROUTE_RULES_MAX);
    assert!(
        rules().all(|rule| rule.starts_with('/') && rule.encode_utf16().count() <= ROUTE_RULE_LENGTH_MAX)
    );
    for path in PATHS.into_iter().chain(rules().map(String::as_str)) {
        let any = |rules: &[String]| rules.iter().any(|rule| RouteRule::compile(rule).matches(path));
        assert_eq!(routes.reaches_worker(path), any(&spec.include) && !any(&spec.exclude));
    }
});

/// What the table of the reference says, with the plainest of matchers.
fn expected(rule: &str, path: &str) -> bool {
    let glob = |rule: &str| matches_glob(rule.as_bytes(), path.as_bytes());
    match rule {
        "/" | "/*" => glob(rule),
        _ if rule.ends_with("/*") => glob(rule) || glob(&rule[..rule.len() - 2]),
        _ if rule.ends_with('*') => glob(rule),
        _ => {
            let base = rule.strip_suffix('/').unwrap_or(rule);
            glob(base) || glob(&format!("{base}/"))
        }
    }
}

fn matches_glob(rule: &[u8], text: &[u8]) -> bool {
    // ends[i]: the rule so far matches text[..i].
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    for wanted in rule {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match wanted {
                b'*' => ends[at] || (at > 0 && next[at - 1]),
                wanted => at > 0 && ends[at - 1] && text[at - 1] == *wanted,
            };
        }
        ends = next;
    }
    ends[text.len()]
}

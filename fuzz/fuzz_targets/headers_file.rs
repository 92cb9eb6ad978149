//! `_headers`: reading, compiling, applying.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use offprint_fuzz::{HOST, PATHS, check_issues};
use offprint_model::request_path::RequestTarget;
use offprint_model::rules::headers::{
    HEADER_LINES_MAX, HEADER_RULES_MAX, HeaderAction, HeaderRules, HeaderValueRef, SUBSTITUTION_WORK_MAX,
    parse,
};

fuzz_target!(|input: &[u8]| {
    let Ok(file) = std::str::from_utf8(input) else { return };
    let parsed = parse(file);
    check_issues(file, &parsed.issues);
    assert!(parsed.rules.len() <= HEADER_RULES_MAX + 1);
    for rule in &parsed.rules {
        assert!(rule.path.starts_with('/') || rule.path.starts_with("https://"));
        assert!(!rule.set.is_empty() || !rule.unset.is_empty());
        let mut names = HashSet::new();
        for (name, value) in &rule.set {
            assert!(!name.is_empty() && !value.is_empty());
            assert!(!name.contains(['\n', ' ']) && !value.contains('\n'));
            assert!(names.insert(name), "a name stands there once");
        }
        assert!(rule.unset.iter().all(|name| !name.contains('\n')));
    }
    assert!(
        parsed.rules.iter().map(|rule| rule.set.len() + rule.unset.len()).sum::<usize>() <= HEADER_LINES_MAX
    );
    let effective = parsed.effective();
    assert!(
        effective.iter().enumerate().all(|(at, rule)| effective[..at].iter().all(|e| e.path != rule.path))
    );

    let rules = HeaderRules::compile(&parsed);
    let requested = PATHS.into_iter().chain(parsed.rules.iter().take(20).map(|rule| rule.path.as_str()));
    for path in requested {
        let path = RequestTarget::parse(path.strip_prefix("https:/").unwrap_or(path)).path;
        apply(&rules, &path);
    }
});

fn apply(rules: &HeaderRules, path: &str) {
    let names: Vec<&str> = rules.names().collect();
    let mut made = 0;
    let mut set_before = vec![false; names.len()];
    rules.for_each_change(HOST, path, |name, action| {
        let value = match action {
            HeaderAction::Remove => return,
            HeaderAction::Replace(value) => {
                assert!(!set_before[name], "only the first setting replaces");
                value
            }
            HeaderAction::Append(value) => {
                assert!(set_before[name] && names[name] != "set-cookie");
                value
            }
            HeaderAction::AppendLine(value) => {
                assert!(set_before[name] && names[name] == "set-cookie");
                value
            }
        };
        set_before[name] = true;
        let value = match &value {
            HeaderValueRef::Literal(number) => {
                assert_eq!(rules.settings()[*number].name, name);
                &*rules.settings()[*number].value
            }
            HeaderValueRef::Substituted(text) => {
                made += text.len();
                text
            }
        };
        assert!(!value.contains('\n'));
    });
    // The last value may go beyond, but not far: a value has a bound of its own.
    assert!(made <= 2 * SUBSTITUTION_WORK_MAX);
}

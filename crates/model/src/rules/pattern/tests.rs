use super::*;
use proptest::prelude::*;
use regex::Regex;

/// The reference: a rule as a regular expression.
fn as_regex(rule: &str) -> Regex {
    let mut source = String::from("^");
    for token in tokenise(rule, false) {
        match token {
            Token::Literal(literal) => source.push_str(&regex::escape(&literal)),
            Token::Name { name, .. } => source.push_str(&format!("(?<{name}>[^/]+)")),
            Token::Splat => source.push_str("(?<splat>.*)"),
        }
    }
    source.push('$');
    Regex::new(&source).unwrap()
}

proptest! {
    #[test]
    fn matching_agrees_with_a_regular_expression(
        rule in "/([ab/-]|:x|:y|:z|\\*){0,8}",
        path in "/[ab/-]{0,16}",
    ) {
        let Some(pattern) = Pattern::compile(&rule) else { return Ok(()) };
        let regex = as_regex(&rule);
        let expected = regex.captures(&path).map(|found| {
            regex
                .capture_names()
                .flatten()
                .map(|name| (name.to_owned(), found[name].to_owned()))
                .collect::<Vec<_>>()
        });
        let captures = pattern.matches(&path).map(|found| {
            found.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
        });
        prop_assert_eq!(&captures, &expected);
        let mut ends = Vec::new();
        let bounded = table::match_bounded(&pattern.tokens, &path, &mut ends)
            .then(|| pattern.captures(&path, &ends).iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect());
        prop_assert_eq!(&bounded, &expected);
    }

    #[test]
    fn any_text_compiles_and_matches_without_panicking(rule in ".{0,40}", path in ".{0,40}") {
        if let Some(pattern) = Pattern::compile(&rule)
            && let Some(captures) = pattern.matches(&path)
        {
            captures.substitute(&rule);
        }
    }
}

#[test]
fn hostile_rules_take_bounded_time() {
    let names: String = (0..300).map(|at| format!(":n{at:03}x-")).collect();
    let pattern = Pattern::compile(&format!("/{names}!")).unwrap();
    let path = format!("/{}", "a-".repeat(4000));
    let started = std::time::Instant::now();
    assert!(pattern.matches(&path).is_none());
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn names_that_clash_drop_the_rule() {
    for rule in ["/*/*", "/*/:splat", "/:splat/*", "/:a/:a", "/:id/:idx", "/:splat/:splatter"] {
        assert!(Pattern::compile(rule).is_none(), "{rule}");
    }
    for rule in ["/:idx/:id", "/*/:splatter", "/:1x", "/:"] {
        assert!(Pattern::compile(rule).is_some(), "{rule}");
    }
}

#[test]
fn substitution_is_textual() {
    let captures = Captures(vec![("id", "1"), ("name", ":x$&"), ("x", "$$2$'")]);
    assert_eq!(captures.substitute("/:id/:idx/:other"), "/1/1x/:other");
    assert_eq!(captures.substitute("/:name!"), "/$2:name!:name!");
    assert_eq!(Captures(vec![("a", "$`|$'|$1|$")]).substitute("x:ay"), "xx|y|$1|$y");
}

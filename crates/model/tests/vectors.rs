//! The recorded vectors of the rule parsers and matchers, all of them.
//!
//! `testdata/conformance/serving/vectors/` says what goes in and what has to come out. Run with
//! `cargo test -p offprint-model --test vectors -- --nocapture` to see the counts.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test program")]

use std::path::PathBuf;

use offprint_model::rules::RuleIssue;
use offprint_model::rules::headers::{self, HeaderRule};
use offprint_model::rules::pattern::Pattern;
use offprint_model::rules::redirects::{self, RedirectRule, Redirects};
use offprint_model::rules::routes::{RouteRule, Routes, RoutesError, RoutesSpec};
use serde_json::{Map, Value, json};

fn vectors(name: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/conformance/serving/vectors")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vectors: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    println!("{name}: {} vectors", vectors.len());
    vectors
}

fn text<'v>(vector: &'v Value, key: &str) -> &'v str {
    vector[key].as_str().unwrap_or_else(|| panic!("{key} in {vector}"))
}

fn issues(issues: &[RuleIssue]) -> Value {
    issues
        .iter()
        .map(|issue| {
            let mut object = Map::new();
            if let Some(line) = &issue.line {
                object.insert("line".into(), json!(line));
            }
            if let Some(number) = issue.line_number {
                object.insert("lineNumber".into(), json!(number));
            }
            object.insert("message".into(), json!(issue.message));
            Value::Object(object)
        })
        .collect()
}

fn redirect_rule(rule: &RedirectRule) -> Value {
    json!({"from": rule.from, "to": rule.to, "status": rule.status.code(), "lineNumber": rule.line_number})
}

fn header_rule(rule: &HeaderRule) -> Value {
    let set: Map<String, Value> = rule.set.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({"path": rule.path, "headers": set, "unsetHeaders": rule.unset})
}

#[test]
fn redirect_files_are_parsed_as_recorded() {
    for vector in vectors("parse_redirects.jsonl") {
        let id = text(&vector, "id");
        let parsed = redirects::parse(text(&vector, "input"));
        assert_eq!(issues(&parsed.issues), vector["invalid"], "{id}");
        if let Some(count) = vector.get("rule_count") {
            assert_eq!(json!(parsed.rules.len()), *count, "{id}");
            assert_eq!(redirect_rule(parsed.rules.last().unwrap()), vector["last_rule"], "{id}");
            continue;
        }
        let rules: Value = parsed.rules.iter().map(redirect_rule).collect();
        assert_eq!(rules, vector["rules"], "{id}");

        let compiled = Redirects::compile(&parsed.rules);
        let mut fixed: Vec<&str> =
            vector["static"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        fixed.sort_unstable();
        assert_eq!(compiled.fixed_sources().collect::<Vec<_>>(), fixed, "{id}");
        let others: Value = parsed
            .rules
            .iter()
            .filter(|rule| !fixed.contains(&rule.from.as_str()))
            .map(|rule| json!(rule.from))
            .collect();
        assert_eq!(others, vector["dynamic"], "{id}");
    }
}

#[test]
fn header_files_are_parsed_as_recorded() {
    for vector in vectors("parse_headers.jsonl") {
        let id = text(&vector, "id");
        let parsed = headers::parse(text(&vector, "input"));
        assert_eq!(issues(&parsed.issues), vector["invalid"], "{id}");
        if let Some(count) = vector.get("rule_count") {
            assert_eq!(json!(parsed.rules.len()), *count, "{id}");
            assert_eq!(header_rule(parsed.rules.last().unwrap()), vector["last_rule"], "{id}");
            continue;
        }
        let rules: Value = parsed.rules.iter().map(header_rule).collect();
        assert_eq!(rules, vector["rules"], "{id}");
        let mut effective = Map::new();
        for rule in parsed.effective() {
            let mut entry = Map::new();
            let mut rule = header_rule(rule);
            if rule["headers"] != json!({}) {
                entry.insert("set".into(), rule["headers"].take());
            }
            if rule["unsetHeaders"] != json!([]) {
                entry.insert("unset".into(), rule["unsetHeaders"].take());
            }
            effective.insert(rule["path"].as_str().unwrap().to_owned(), Value::Object(entry));
        }
        let effective = if effective.is_empty() { Value::Null } else { Value::Object(effective) };
        assert_eq!(effective, vector["effective"], "{id}");
    }
}

/// Vectors may write a path as a person would; the matcher gets what URL parsing makes of it.
fn encoded(path: &str) -> String {
    offprint_model::request_path::RequestTarget::parse(path).path.into_owned()
}

fn captures(rule: &str, subject: &str) -> Value {
    let Some(pattern) = Pattern::compile(rule) else { return Value::Null };
    pattern.matches(subject).map_or(Value::Null, |captures| {
        Value::Object(captures.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
    })
}

#[test]
fn rules_match_paths_as_recorded() {
    for vector in vectors("match_rule.jsonl") {
        let found = captures(text(&vector, "rule"), &encoded(text(&vector, "path")));
        assert_eq!(!found.is_null(), vector["match"].as_bool().unwrap(), "{vector}");
        assert_eq!(found, vector["captures"], "{vector}");
    }
}

#[test]
fn rules_match_hosts_as_recorded() {
    for vector in vectors("match_host_rule.jsonl") {
        let url = text(&vector, "url").split_once("://").unwrap().1;
        let (authority, path) = url.split_at(url.find('/').unwrap());
        let host = authority.split(':').next().unwrap().to_lowercase();
        let found = captures(text(&vector, "rule"), &format!("{host}{path}"));
        assert_eq!(!found.is_null(), vector["match"].as_bool().unwrap(), "{vector}");
        assert_eq!(found, vector["captures"], "{vector}");
    }
}

#[test]
fn routing_rules_match_as_recorded() {
    for vector in vectors("routes_match.jsonl") {
        let matches = RouteRule::compile(text(&vector, "rule")).matches(text(&vector, "path"));
        assert_eq!(json!(matches), vector["match"], "{vector}");
    }
}

/// What the outer floors do to a `_routes.json` before the model sees it.
fn routes_spec(json: &Value) -> Option<RoutesSpec> {
    let rules = |key: &str| {
        json.get(key)?
            .as_array()?
            .iter()
            .map(|rule| rule.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
    };
    let version = json.get("version")?.as_u64()?;
    Some(RoutesSpec { version, include: rules("include")?, exclude: rules("exclude")? })
}

#[test]
fn routing_files_are_judged_as_recorded() {
    for vector in vectors("routes_validate.jsonl") {
        let result = routes_spec(&vector["json"])
            .ok_or(RoutesError::InvalidSchema)
            .and_then(|spec| Routes::compile(&spec));
        let error = match result {
            Ok(_) => Value::Null,
            Err(RoutesError::InvalidSchema) => json!("invalid-schema"),
            Err(RoutesError::NoInclude) => json!("no-include"),
            Err(RoutesError::TooManyRules) => json!("too-many-rules"),
            Err(RoutesError::RuleTooLong { .. }) => json!("rule-too-long"),
            Err(RoutesError::MissingLeadingSlash { .. }) => json!("missing-leading-slash"),
            Err(RoutesError::OverlappingRules { .. }) => json!("overlapping-rules"),
        };
        assert_eq!(error, vector["error"], "{vector}");
        assert_eq!(error.is_null(), vector["valid"].as_bool().unwrap(), "{vector}");
    }
}

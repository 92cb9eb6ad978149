//! `docs/COMPATIBILITY.md` speaks of every endpoint of the OpenAPI description, and of no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::resource_operations;

const PROJECTS: &str = "/accounts/{account_id}/pages/projects";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// `METHOD /path` of every operation that the description has.
fn described() -> BTreeSet<String> {
    let document: serde_json::Value =
        serde_json::from_str(&read("testdata/cloudflare-pages.openapi.json")).unwrap();
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if matches!(method.as_str(), "get" | "post" | "put" | "patch" | "delete") {
                operations.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    operations
}

/// The same from a table of the page, with the state of each.
fn documented(section: &str) -> Vec<(String, String)> {
    let page = read("docs/COMPATIBILITY.md");
    let section = page.split("\n## ").find(|found| found.starts_with(section)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let endpoint = cells.next().unwrap().trim_matches('`').replace('…', PROJECTS);
        (endpoint, cells.next().unwrap().to_owned())
    })
    .collect()
}

#[test]
fn the_page_lists_every_endpoint_and_no_other() {
    let listed: BTreeSet<String> =
        documented("Endpoints").into_iter().map(|(endpoint, _)| endpoint).collect();
    assert_eq!(listed, described());
}

#[test]
fn the_page_lists_every_endpoint_for_resources_and_no_other() {
    let listed: BTreeSet<String> =
        documented("KV, D1 and R2").into_iter().map(|(endpoint, _)| endpoint).collect();
    let operations = resource_operations().into_iter();
    let there: BTreeSet<String> =
        operations.map(|operation| format!("{} {}", operation.method, operation.path)).collect();
    assert_eq!(listed, there);
}

#[test]
fn every_endpoint_has_one_of_the_three_states() {
    for (endpoint, state) in documented("Endpoints").into_iter().chain(documented("KV, D1 and R2")) {
        assert!(["works", "differs", "not yet"].contains(&state.as_str()), "{endpoint}: {state}");
    }
}

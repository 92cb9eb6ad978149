//! Rules of the house that are checked by a program and not in a reviewer's head.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors of docs/ARCHITECTURE.md.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("wire", 0),
    ("store", 1),
    ("resources", 1),
    ("client", 1),
    ("sandbox", 1),
    ("functions", 2),
    ("edge", 3),
    ("pipeline", 3),
    ("api", 3),
    ("offprint", 4),
];

/// The imports within a floor: wire converts from the model; resources keeps the contents of what the store names.
const WITHIN_A_FLOOR: &[(&str, &str)] = &[("wire", "model"), ("resources", "store")];

/// Crates that a room must not even be able to name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("model", &["tokio", "serde", "serde_json", "chrono", "http", "sea-orm"]),
    ("wire", &["axum", "tokio", "http"]),
    ("store", &["axum", "http", "hyper", "reqwest"]),
    ("resources", &["axum", "http", "hyper", "sea-orm", "offprint-wire"]),
    ("client", &["axum", "sea-orm"]),
    ("sandbox", &["axum", "reqwest", "sea-orm", "offprint-model"]),
    ("functions", &["axum", "reqwest", "sea-orm", "jsonwebtoken"]),
    ("edge", &["axum", "sea-orm", "jsonwebtoken"]),
    ("pipeline", &["axum", "http", "hyper"]),
    ("api", &["sea-orm"]),
];

/// A file of Rust longer than this is a stop; tests do not count.
const FILE_LINES_MAX: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names in `[dependencies]` of a crate.
fn dependencies(name: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(format!("crates/{name}/Cargo.toml"))).unwrap();
    let manifest: toml::Table = toml::from_str(&text).unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn crates_import_from_lower_floors_only() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let mut found: Vec<String> =
        crates.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    let mut known: Vec<&str> = floors.keys().copied().collect();
    known.sort_unstable();
    assert_eq!(found, known, "a crate has no floor, or a floor no crate");
    for name in known {
        for import in dependencies(name) {
            let Some(import) = import.strip_prefix("offprint-") else { continue };
            let legal = floors[import] < floors[name] || WITHIN_A_FLOOR.contains(&(name, import));
            assert!(legal, "{name} (floor {}) imports {import} (floor {})", floors[name], floors[import]);
        }
    }
}

#[test]
fn rooms_do_not_know_what_they_must_not() {
    for (name, forbidden) in FORBIDDEN {
        for import in dependencies(name) {
            assert!(!forbidden.contains(&import.as_str()), "{name} imports {import}");
        }
    }
    for (name, _) in FLOORS {
        let has = dependencies(name).iter().any(|import| import == "anyhow");
        assert!(!has || *name == "offprint", "anyhow belongs to the binary, {name} imports it");
    }
}

#[test]
fn files_stay_small() {
    let mut open = vec![root().join("crates")];
    let mut sources = 0;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources += 1;
                let lines = fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", path.display());
            }
        }
    }
    assert!(sources > 50, "only {sources} sources were found");
}

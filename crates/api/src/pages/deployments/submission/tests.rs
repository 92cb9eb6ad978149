//! A form's parts, as wrangler and others send them, and what they become.

use offprint_model::config::{Environment, EnvironmentConfig, Patch};
use offprint_model::id::{AccountId, ProjectId};
use offprint_model::name::ProjectName;
use offprint_model::time::Timestamp;

use super::*;

const MANIFEST: (&str, &[u8]) = ("manifest", br#"{"/index.html":"47bee44328c5c8600ff0beb27c0d7a7a"}"#);

fn project() -> Project {
    Project {
        id: ProjectId::new("p"),
        account: AccountId::new("a"),
        name: ProjectName::parse("demo").unwrap(),
        production_branch: BranchName::parse("main").unwrap(),
        created: Timestamp::from_micros(0),
        script_number: 1_234_567,
        build_config: offprint_model::config::BuildConfig::default(),
        production: EnvironmentConfig::new("2026-11-22"),
        preview: EnvironmentConfig::new("2026-11-22"),
        source: None,
        domains: Vec::new(),
        canonical: None,
        latest: None,
    }
}

fn submit(parts: &[(&'static str, &[u8])]) -> Result<NewDeployment> {
    read(&Parts::of(parts), &project(), &Limits::default())
}

fn refusal(parts: &[(&'static str, &[u8])]) -> (u32, String) {
    let error = submit(parts).err().unwrap();
    (error.code().number(), format!("{error:?}"))
}

fn bundle(metadata: &str) -> Vec<u8> {
    format!(
        "------x\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{metadata}\r\n------x\r\n\
         Content-Disposition: form-data; name=\"m.js\"; filename=\"m.js\"\r\n\
         Content-Type: application/javascript+module\r\n\r\nexport default {{}}\r\n------x--\r\n"
    )
    .into_bytes()
}

#[test]
fn a_form_of_wrangler_becomes_a_production_deployment() {
    let new = submit(&[
        MANIFEST,
        ("branch", b"main"),
        ("commit_message", b"a message"),
        ("commit_hash", b"aaaa"),
        ("commit_dirty", b"true"),
        ("_headers", b"/*\n  X-Frame-Options: DENY\n"),
    ])
    .unwrap();
    assert_eq!(new.environment, Environment::Production);
    assert_eq!(new.commit, Commit { hash: "aaaa".into(), message: "a message".into(), dirty: true });
    assert_eq!(new.headers.as_deref(), Some("/*\n  X-Frame-Options: DENY\n"));
    assert!(new.redirects.is_none() && new.worker.is_none() && new.configuration.is_none());
}

#[test]
fn only_the_manifest_is_needed() {
    let new = submit(&[MANIFEST]).unwrap();
    assert_eq!((new.branch.as_str(), new.environment), ("main", Environment::Production));
    assert_eq!(new.commit, Commit::default());
    assert_eq!(refusal(&[]).0, 8_000_096);
}

#[test]
fn another_branch_is_a_preview() {
    let new = submit(&[MANIFEST, ("branch", b"feat/x")]).unwrap();
    assert_eq!(new.environment, Environment::Preview);
}

#[test]
fn bad_parts_are_named() {
    let long = vec![b'b'; 256];
    for (part, code, text) in [
        (("branch", &b"\xff"[..]), 8_000_006, "branch must be valid UTF-8"),
        (("branch", &long[..]), 8_000_006, "branch is not valid: a branch name has"),
        (("commit_message", b"\xff"), 8_000_111, ""),
        (("commit_dirty", b"maybe"), 8_000_006, "commit_dirty must be true or false"),
        (("_headers", b"\xff"), 8_000_006, "_headers must be valid UTF-8"),
        (("_routes.json", b"{}"), 8_100_008, "_routes.json is not valid"),
        (("_worker.bundle", b"--b\r\nx"), 8_100_007, "it ends early"),
    ] {
        let (number, message) = refusal(&[MANIFEST, part]);
        assert_eq!(number, code, "{message}");
        assert!(message.contains(text), "{message}");
    }
    assert_eq!(refusal(&[("manifest", b"\xff")]).0, 8_100_006);
    assert_eq!(refusal(&[("manifest", br#"{"/../a":"k"}"#)]).0, 8_100_006);
}

#[test]
fn a_bundle_and_a_script_exclude_each_other() {
    let bundle = bundle(r#"{"main_module":"m.js"}"#);
    let (code, message) =
        refusal(&[MANIFEST, ("_worker.js", b"export default {}"), ("_worker.bundle", &bundle)]);
    assert_eq!(code, 8_000_006);
    assert!(message.contains("cannot be sent together"), "{message}");
}

#[test]
fn with_a_configuration_hash_the_metadata_becomes_the_configuration() {
    let metadata = r#"{"main_module":"m.js","compatibility_date":"2026-01-15",
        "bindings":[{"name":"V","type":"plain_text","text":"1"},{"name":"K","type":"kv_namespace","namespace_id":"2"}]}"#;
    let bundle = bundle(metadata);
    let hash = ("wrangler_config_hash", &b"abc"[..]);
    let dir = ("pages_build_output_dir", &b"dist"[..]);
    let new = submit(&[MANIFEST, hash, dir, ("_worker.bundle", &bundle)]).unwrap();
    let configuration = new.configuration.unwrap();
    assert_eq!(
        (configuration.hash.as_str(), configuration.destination_dir.as_deref()),
        ("abc", Some("dist"))
    );
    assert_eq!(configuration.patch.compatibility_date.as_deref(), Some("2026-01-15"));
    assert_eq!(configuration.patch.wrangler_config_hash, Patch::Set("abc".into()));
    let Patch::Set(variables) = configuration.patch.env_vars else { panic!("no variables") };
    assert!(variables["V"].is_some());
    assert!(submit(&[MANIFEST, ("_worker.bundle", &bundle)]).unwrap().configuration.is_none());
}

use serde_json::{Value, json};

use super::*;

fn read(kind: &str, config: &Value) -> Read<Model> {
    read_new(&Node::root(&json!({"type": kind, "config": config})), None)
}

#[test]
fn a_repository_of_a_known_forge_is_known_by_owner_and_name() {
    let source = read("gitlab", &json!({"owner": "a/b", "repo_name": "site"})).unwrap();
    assert_eq!(source.clone_url().unwrap().as_str(), "https://gitlab.com/a/b/site.git");
    assert_eq!((source.clone_url, source.api_url, source.poll), (None, None, false));
}

#[test]
fn any_other_repository_is_known_by_its_url() {
    for (kind, url, owner, name) in [
        ("forgejo", "https://git.example.com/code/cedar/site.git", "cedar", "site"),
        ("gitea", "git@git.example.com:cedar/site.git", "cedar", "site"),
        ("git", "https://git.example.com/code/cedar/site", "code/cedar", "site"),
        ("git", "/srv/site.git", "srv", "site"),
    ] {
        let source = read(kind, &json!({"clone_url": url})).unwrap();
        assert_eq!((&*source.owner, &*source.repo_name), (owner, name), "{kind} {url}");
    }
    let named = read("git", &json!({"clone_url": "/srv/x", "owner": "o", "repo_name": "r"})).unwrap();
    assert_eq!((&*named.owner, &*named.repo_name), ("o", "r"));
}

#[test]
fn a_repository_that_is_none_names_the_member() {
    for (kind, config, expected) in [
        ("github", json!({"repo_name": "r"}), "config.owner is required"),
        ("github", json!({"owner": "o"}), "config.repo_name is required"),
        ("github", json!({"owner": "..", "repo_name": "r"}), "config.owner must be a part of"),
        ("github", json!({"owner": "o", "repo_name": "r?x"}), "config.repo_name must be a part of"),
        ("forgejo", json!({"owner": "o", "repo_name": "r"}), "config.clone_url is required"),
        ("git", json!({"clone_url": "--upload-pack=x"}), "config.clone_url is not valid: neither it"),
        ("git", json!({"clone_url": "ext::sh"}), "config.clone_url is not valid: it begins with"),
        ("git", json!({"clone_url": "/srv/x", "api_url": "x"}), "config.api_url is not valid"),
        ("git", json!({"clone_url": "/srv/x", "poll": "yes"}), "config.poll must be true or false"),
        ("git", json!({"clone_url": "/srv/x", "production_branch": ""}), "config.production_branch is not"),
    ] {
        let refused = read(kind, &config).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{kind} {config}: {refused}");
    }
}

#[test]
fn the_members_of_the_pages_api_are_always_shown_and_ours_once_set() {
    const OURS: [&str; 5] = ["clone_url", "api_url", "submodules", "lfs", "poll"];
    let shown = |source: &Model| serde_json::to_value(Source::from(source)).unwrap();
    let plain = shown(&read("github", &json!({"owner": "o", "repo_name": "r"})).unwrap());
    assert_eq!(plain["config"].as_object().unwrap().len(), 13);
    let config = json!({
        "clone_url": "https://git.example.com/o/r", "api_url": "https://git.example.com/api/v1",
        "submodules": true, "lfs": true, "poll": true});
    let full = shown(&read("forgejo", &config).unwrap());
    assert_eq!(full["type"], "forgejo");
    for member in OURS {
        assert_eq!(full["config"][member], config[member], "{member}");
        assert_eq!(plain["config"].get(member), None, "{member}");
    }
}

#[test]
fn a_change_tells_null_from_absent() {
    let patch = |config: Value| read_patch(&Node::root(&json!({ "config": config }))).unwrap();
    use offprint_model::config::Patch;
    let none = patch(json!({}));
    assert_eq!((none.api_url, none.poll), (Patch::Keep, None));
    let null = patch(json!({"api_url": null, "poll": null}));
    assert_eq!((null.api_url, null.poll), (Patch::Clear, Some(false)));
}

//! Each fixture of each forge, and what it must become.

use std::path::Path;

use super::*;
use offprint_model::push::{COMMITS_BYPASS, has_skip_marker};
use proptest::prelude::*;

const FORGES: [(&str, Dialect); 4] = [
    ("github", Dialect::Github),
    ("gitlab", Dialect::Gitlab),
    ("forgejo", Dialect::Forgejo),
    ("gitea", Dialect::Forgejo),
];

fn fixture(forge: &str, name: &str) -> Vec<u8> {
    let path = format!("../../testdata/webhooks/{forge}/{name}.json");
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The header that comes with a fixture.
fn event_of(dialect: Dialect, name: &str) -> &'static str {
    let pull_request = name.contains("pull_request") || name == "fork_deleted";
    match (dialect, name) {
        (Dialect::Gitlab, "tag") => "Tag Push Hook",
        (Dialect::Gitlab, "other") => "Pipeline Hook",
        (Dialect::Gitlab, _) if pull_request => "Merge Request Hook",
        (Dialect::Gitlab, _) => "Push Hook",
        (Dialect::Github, "other") => "ping",
        (Dialect::Forgejo, "other") => "create",
        _ if pull_request => "pull_request",
        _ => "push",
    }
}

fn read_fixture(forge: &str, dialect: Dialect, name: &str) -> Webhook {
    let read = read(dialect, event_of(dialect, name), &fixture(forge, name));
    read.unwrap_or_else(|error| panic!("{forge} {name}: {error}"))
}

fn of_all(name: &str) -> Vec<(&'static str, Webhook)> {
    FORGES.iter().map(|(forge, dialect)| (*forge, read_fixture(forge, *dialect, name))).collect()
}

fn push_of(webhook: Webhook) -> Push {
    match webhook.event {
        Event::Push(push) => push,
        other => panic!("no push: {other:?}"),
    }
}

fn pull_request_of(webhook: Webhook) -> PullRequest {
    match webhook.event {
        Event::PullRequest(pull_request) => pull_request,
        other => panic!("no pull request: {other:?}"),
    }
}

#[test]
fn a_push_has_its_branch_its_commit_and_its_files() {
    for (forge, webhook) in of_all("push") {
        let push = push_of(webhook);
        assert_eq!(push.branch.as_str(), "main", "{forge}");
        assert_eq!(push.commit.hash, "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98", "{forge}");
        assert_eq!(push.commit.message, "Greet people by name\n\nThey like that.", "{forge}");
        let files = ["docs/notes.md", "web/blog/index.html", "web/index.html", "web/old.html"];
        let expected = Changes { files: Some(files.map(ToOwned::to_owned).to_vec()), commits: 2 };
        assert_eq!(push.changes, expected, "{forge}");
    }
}

#[test]
fn the_repository_is_named() {
    for (forge, webhook) in of_all("push") {
        let repository = webhook.repository.unwrap();
        assert_eq!(repository.full_name, "cedar/site", "{forge}");
        assert!(repository.id.parse::<u64>().is_ok(), "{forge}");
        assert!(repository.clone_urls[0].starts_with("https://"), "{forge}");
        assert!(repository.clone_urls[1].starts_with("git@"), "{forge}");
    }
}

#[test]
fn a_new_branch_changes_no_files() {
    for (forge, webhook) in of_all("new_branch") {
        let push = push_of(webhook);
        assert_eq!(push.branch.as_str(), "feature/greeting", "{forge}");
        assert_eq!(push.changes, Changes { files: Some(Vec::new()), commits: 0 }, "{forge}");
        // GitLab lists no commit then, so nobody knows the message.
        assert_eq!(push.commit.message.is_empty(), forge == "gitlab", "{forge}");
    }
}

#[test]
fn a_forced_push_is_a_push() {
    for (forge, webhook) in of_all("forced_push") {
        let push = push_of(webhook);
        assert_eq!((push.changes.commits, &*push.commit.message), (1, "Greet people once"), "{forge}");
    }
}

#[test]
fn a_push_of_many_commits_counts_those_that_are_not_listed() {
    for (forge, webhook) in of_all("many_commits") {
        let push = push_of(webhook);
        assert_eq!(push.changes.commits, 25, "{forge}");
        assert!(push.changes.commits >= COMMITS_BYPASS);
        assert_eq!(push.changes.files.is_some(), forge == "github", "{forge} lists them all");
        assert_eq!(push.commit.message, "Step 25", "{forge}");
    }
}

#[test]
fn messages_and_paths_that_are_not_to_be_built_are_seen() {
    for (forge, webhook) in of_all("skip_ci") {
        assert!(has_skip_marker(&push_of(webhook).commit.message), "{forge}");
    }
    for (forge, webhook) in of_all("docs_only") {
        let files = push_of(webhook).changes.files.unwrap();
        assert_eq!(files, ["README.md", "docs/a.md"], "{forge}");
    }
}

#[test]
fn deletions_tags_and_the_rest_deploy_nothing() {
    for (name, why) in [
        ("branch_deleted", "the branch was deleted"),
        ("tag", "a tag does not deploy"),
        ("other", "does not deploy"),
    ] {
        for (forge, webhook) in of_all(name) {
            let Event::Other(what) = webhook.event else { panic!("{forge} {name}") };
            assert!(what.contains(why), "{forge} {name}: {what}");
        }
    }
}

#[test]
fn a_pull_request_has_its_head() {
    for (forge, webhook) in of_all("pull_request") {
        assert_eq!(webhook.repository.as_ref().unwrap().full_name, "cedar/site", "{forge}");
        let pull_request = pull_request_of(webhook);
        assert_eq!(pull_request.number, 7, "{forge}");
        assert_eq!(pull_request.branch.as_str(), "feature/greeting", "{forge}");
        assert_eq!(pull_request.commit.hash, "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98", "{forge}");
        assert_eq!(pull_request.title, "Greet people by name", "{forge}");
        assert!(pull_request.open && !pull_request.fork, "{forge}");
    }
    for (forge, webhook) in of_all("pull_request_closed") {
        assert!(!pull_request_of(webhook).open, "{forge}");
    }
}

#[test]
fn a_pull_request_of_a_fork_is_one_even_when_the_fork_is_gone() {
    for name in ["fork_pull_request", "fork_deleted"] {
        for (forge, webhook) in of_all(name) {
            let repository = webhook.repository.clone().unwrap();
            assert_eq!(repository.full_name, "cedar/site", "{forge}: the one to be merged into");
            let pull_request = pull_request_of(webhook);
            assert!(pull_request.fork && pull_request.open, "{forge} {name}");
            assert_eq!((pull_request.number, pull_request.branch.as_str()), (8, "main"), "{forge}");
        }
    }
}

#[test]
fn what_is_no_payload_names_the_member() {
    let hash = "a".repeat(40);
    let push = |json: &str| read(Dialect::Github, "push", json.replace("$", &hash).as_bytes());
    for (json, expected) in [
        ("", "the body is not valid JSON"),
        ("[]", "the body must be an object"),
        ("{}", "ref is required"),
        (r#"{"ref": 1}"#, "ref must be a string"),
        (r#"{"ref": "refs/heads/a"}"#, "after is required"),
        (r#"{"ref": "refs/heads/a", "after": "main"}"#, "after must be a commit's hash"),
        (r#"{"ref": "refs/heads/", "after": "$"}"#, "ref is not valid: a branch name has 1 to 255 bytes"),
        (r#"{"ref": "refs/heads/a", "after": "$", "commits": [1]}"#, "commits[0] must be an object"),
        (
            r#"{"ref": "refs/heads/a", "after": "$", "commits": [{"added": [1]}]}"#,
            "commits[0].added[0] must be a string",
        ),
        (r#"{"ref": "refs/heads/a", "after": "$", "repository": {}}"#, "repository.full_name is required"),
    ] {
        let refused = push(json).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{json}: {refused}");
    }
    let request = |json: &str| read(Dialect::Forgejo, "pull_request", json.as_bytes()).unwrap_err();
    assert_eq!(request("{}").to_string(), "pull_request is required");
    let merge = read(Dialect::Gitlab, "Merge Request Hook", b"{\"object_attributes\":{}}").unwrap_err();
    assert_eq!(merge.path, "object_attributes.last_commit");
}

#[test]
fn a_commit_that_lists_no_files_leaves_them_unknown() {
    let hash = "a".repeat(40);
    let push = |commits: &str| {
        let json = format!(r#"{{"ref": "refs/heads/a", "after": "{hash}", "commits": {commits}}}"#);
        push_of(read(Dialect::Github, "push", json.as_bytes()).unwrap()).changes
    };
    assert_eq!(push(r#"[{"added": ["a"]}, {"id": "b"}]"#), Changes { files: None, commits: 2 });
    let nulls = r#"[{"added": ["b", "a", "b"], "removed": null}, {"modified": null}]"#;
    assert_eq!(push(nulls).files, Some(vec!["a".into(), "b".into()]));
    assert_eq!(push("null"), Changes { files: Some(Vec::new()), commits: 0 });
    let list: Vec<String> = (0..FILES_BYPASS).map(|n| format!("\"{n}\"")).collect();
    assert_eq!(push(&format!("[{{\"added\": [{}]}}]", list.join(","))).files, None, "too many to look at");
}

#[test]
fn long_texts_are_cut() {
    let hash = "a".repeat(40);
    let long = "ä".repeat(100_000);
    let json = format!(
        r#"{{"ref": "refs/heads/a", "after": "{hash}", "head_commit": {{"id": "{hash}", "message": "{long}"}}}}"#
    );
    let message = push_of(read(Dialect::Github, "push", json.as_bytes()).unwrap()).commit.message;
    assert_eq!(message.len(), MESSAGE_BYTES_MAX);
    let Event::Other(what) = other(&"x\u{7}".repeat(1000)) else { panic!("not other") };
    assert!(what.len() < 200 && !what.contains('\u{7}'));
}

proptest! {
    /// Any part of a fixture may be missing or be something else: it is read or refused, and nothing panics.
    #[test]
    fn damaged_payloads_are_refused(
        (forge, dialect) in proptest::sample::select(&FORGES[..]),
        name in proptest::sample::select(&["push", "fork_pull_request", "many_commits"][..]),
        cut in 0_usize..6000,
        junk in "[\\[\\]{}:,\"0-9a-z]{0,4}",
    ) {
        let mut body = fixture(forge, name);
        let cut = cut.min(body.len());
        body.splice(cut..(cut + junk.len()).min(body.len()), junk.bytes());
        let _ = read(dialect, event_of(dialect, name), &body);
    }
}

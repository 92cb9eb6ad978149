//! Pull requests: what comes from a fork is built once somebody has approved the very commit.

use offprint_model::deployment::Commit;
use offprint_model::id::ProjectId;
use offprint_model::name::BranchName;
use offprint_store::PullRequest;
use serde_json::{Value, json};

use crate::harness::{Api, demo};

fn hash(digit: char) -> String {
    digit.to_string().repeat(40)
}

/// As the webhook notes it.
async fn note(api: &Api, project: &Value, digit: char, open: bool) {
    let id = ProjectId::new(project["id"].as_str().unwrap());
    let target = api.store.webhook_target(&id).await.unwrap();
    let noted = PullRequest {
        number: 8,
        branch: BranchName::parse("main").unwrap(),
        commit: Commit { hash: hash(digit), ..Commit::default() },
        fork: true,
        open,
        title: "A better greeting".into(),
    };
    api.store.note_pull_request(&target.scope, noted, None).await.unwrap();
}

async fn approve(api: &Api, digit: char) -> crate::harness::Answer {
    let body = json!({"commit_hash": hash(digit)});
    api.writer().post(&demo("/pull_requests/8/approve"), &body).await
}

#[tokio::test]
async fn an_approved_commit_of_a_fork_is_a_preview_without_secrets() {
    let api = Api::start().await;
    let project = api.built_project().await;
    let secret = json!({"type": "secret_text", "value": "hunter2"});
    let vars = json!({"env_vars": {"KEY": secret, "PLAIN": {"value": "1"}}});
    let change = json!({"deployment_configs": {"preview": vars, "production": vars}});
    api.writer().patch(&demo(""), &change).await.ok();
    note(&api, &project, 'a', true).await;
    let listed = api.reader().get(&demo("/pull_requests")).await.result();
    let expected = json!([{"number": 8, "title": "A better greeting", "branch": "main", "commit_hash": hash('a'),
        "is_fork": true, "is_open": true, "approved_commit_hash": null}]);
    assert_eq!(listed, expected);
    let built = approve(&api, 'a').await.result();
    assert_eq!(built["environment"], "preview", "though the fork's branch is called main");
    assert_eq!(built["deployment_trigger"]["metadata"]["commit_hash"], hash('a'));
    let names: Vec<&String> = built["env_vars"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["PLAIN"]);
    let listed = api.reader().get(&demo("/pull_requests")).await.result();
    assert_eq!(listed[0]["approved_commit_hash"], hash('a'));
}

#[tokio::test]
async fn only_the_head_of_an_open_pull_request_is_approved() {
    let api = Api::start().await;
    let project = api.built_project().await;
    assert_eq!(approve(&api, 'a').await.refusal(), (404, 8_100_026));
    note(&api, &project, 'b', true).await;
    assert_eq!(approve(&api, 'a').await.refusal(), (400, 8_100_027));
    note(&api, &project, 'b', false).await;
    assert_eq!(approve(&api, 'b').await.refusal(), (400, 8_100_027));
    for (path, body, expected) in [
        ("/pull_requests/8/approve", json!({}), (400, 8_000_006)),
        ("/pull_requests/8/approve", json!({"commit_hash": "main"}), (400, 8_000_006)),
        ("/pull_requests/x/approve", json!({"commit_hash": hash('b')}), (404, 8_100_026)),
        ("/pull_requests/99999999999999999999/approve", json!({"commit_hash": hash('b')}), (404, 8_100_026)),
        ("/pull_requests/18446744073709551615/approve", json!({"commit_hash": hash('b')}), (404, 8_100_026)),
    ] {
        assert_eq!(api.writer().post(&demo(path), &body).await.refusal(), expected, "{path} {body}");
    }
    let body = json!({"commit_hash": hash('b')});
    let by_reader = api.reader().post(&demo("/pull_requests/8/approve"), &body).await;
    assert_eq!(by_reader.refusal(), (403, 10000));
    assert_eq!(api.deployments().await.len(), 0);
}

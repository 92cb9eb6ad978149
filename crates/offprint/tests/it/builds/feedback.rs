//! What the forges hear: a status for each commit, and one comment on a pull request.

use reqwest::Method;
use serde_json::json;

use super::{DEMO, Ground, HOST, page};
use crate::support::{Dialect, FORGE_TOKEN, Webhook, host_of, project};

/// The forge's words for: runs, went well, failed, was stopped.
fn words(dialect: Dialect) -> [&'static str; 4] {
    match dialect {
        Dialect::Github | Dialect::Forgejo => ["pending", "success", "failure", "error"],
        Dialect::Gitlab => ["running", "success", "failed", "canceled"],
    }
}

#[tokio::test]
async fn every_forge_hears_how_a_commit_fares_and_gets_one_comment() {
    for dialect in Dialect::ALL {
        let Some(ground) = Ground::with_forge(dialect).await else { return };
        let repository = page(&ground.git, "page");
        ground.connect(&repository, json!({ "build_command": ground.git.gate() })).await;
        let [runs, well, ..] = words(dialect);
        let first = ground.push(&repository, "try-it", "first").await;
        let commit = repository.head();
        ground.hear(&Webhook::pull_request(dialect, "try-it", &commit)).await;
        let pending = ground.forge().comes_to(&commit, runs).await;
        assert_eq!(pending.context, "offprint/demo");
        assert!(pending.target.contains(&format!("/deployments/{first}/history/logs")), "{pending:?}");
        ground.git.open_gate();
        let done = ground.forge().comes_to(&commit, well).await;
        let live = ground.live(&first).await;
        let url = live["url"].as_str().unwrap();
        assert_eq!((done.target.as_str(), done.description.contains(url)), (url, true), "{done:?}");

        let comment = ground.forge().has_comment_with(url).await;
        for text in [&commit[..7], "Deployed", "://try-it.demo.pages.localhost", "[View the log]("] {
            assert!(comment.contains(text), "{dialect:?}: {text:?} is not in {comment}");
        }
        let second = ground.push(&repository, "try-it", "second").await;
        ground.live(&second).await;
        ground.forge().has_comment_with(&repository.head()[..7]).await;
        ground.forge().comes_to(&repository.head(), well).await;
        assert_eq!(ground.forge().comments().len(), 1, "{dialect:?}");
        let (created, edited) = ground.forge().created_and_edited();
        assert!(created == 1 && edited >= 2, "{dialect:?}: {created} created, {edited} edited");
    }
}

#[tokio::test]
async fn what_fails_is_canceled_or_skipped_closes_its_status() {
    for dialect in Dialect::ALL {
        let Some(ground) = Ground::with_forge(dialect).await else { return };
        let repository = page(&ground.git, "page");
        repository.write("build.sh", "exit 1");
        ground.connect(&repository, json!({ "build_command": "sh build.sh" })).await;
        let [_, well, badly, stopped] = words(dialect);
        ground.push(&repository, "main", "fails").await;
        let failed = ground.forge().comes_to(&repository.head(), badly).await;
        assert_eq!(failed.description, "The build failed.");

        repository.write("build.sh", ground.git.gate());
        let id = ground.push(&repository, "main", "canceled").await;
        ground.git.comes_to_gate(1).await;
        ground.api.call(Method::POST, &project(DEMO, &format!("/deployments/{id}/cancel"))).ok().await;
        let canceled = ground.forge().comes_to(&repository.head(), stopped).await;
        assert_eq!(canceled.description, "Canceled.");

        ground.push(&repository, "main", "[skip ci] nothing to see").await;
        let skipped = ground.forge().comes_to(&repository.head(), well).await;
        assert!(skipped.description.starts_with("Skipped"), "{skipped:?}");
    }
}

#[tokio::test]
async fn a_forge_that_is_busy_or_broken_hears_it_later() {
    let Some(ground) = Ground::with_forge(Dialect::Github).await else { return };
    let repository = page(&ground.git, "page");
    ground.connect(&repository, json!({})).await;
    ground.forge().trouble(500, &[]);
    ground.forge().trouble(429, &[("retry-after", "1")]);
    ground.forge().trouble(403, &[("retry-after", "1")]);
    let id = ground.push(&repository, "main", "first").await;
    ground.live(&id).await;
    ground.forge().comes_to(&repository.head(), "success").await;
}

#[tokio::test]
async fn a_forge_that_refuses_is_left_alone_and_the_site_goes_live() {
    let Some(ground) = Ground::with_forge(Dialect::Forgejo).await else { return };
    let repository = page(&ground.git, "page");
    ground.connect(&repository, json!({})).await;
    for _ in 0..20 {
        ground.forge().trouble(401, &[]);
    }
    let id = ground.push(&repository, "main", "first").await;
    ground.live(&id).await;
    ground.server.shows(HOST, "page").await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(ground.forge().calls().len() <= 5, "{:?}", ground.forge().calls());
    assert!(ground.server.log().contains("the forge is not told"), "the operator learns of it");
}

#[tokio::test]
async fn a_lost_comment_is_found_by_its_first_line_and_a_deleted_one_made_anew() {
    let Some(ground) = Ground::with_forge(Dialect::Github).await else { return };
    let repository = page(&ground.git, "page");
    let made = ground.connect(&repository, json!({})).await;
    for n in 0..120 {
        ground.forge().comment_by_somebody(&format!("nice {n}"));
    }
    let marker = format!("<!-- offprint:{} -->", made["id"].as_str().unwrap());
    ground.forge().comment_by_somebody(&format!("look, {marker} is not at the beginning"));
    let ours = ground.forge().comment_by_somebody(&format!("{marker}\nof an earlier life"));
    let commit = repository.branch("try-it").commit("x");
    ground.hear(&Webhook::pull_request(Dialect::Github, "try-it", &commit)).await;
    let id = ground.push(&repository, "try-it", "first").await;
    let url = ground.live(&id).await["url"].as_str().unwrap().to_owned();
    ground.forge().has_comment_with(&url).await;
    let edited = ground.forge().comments().into_iter().find(|(_, text)| text.contains(&url)).unwrap();
    assert_eq!((edited.0, ground.forge().created_and_edited().0), (ours, 0));

    ground.forge().delete_comments();
    let id = ground.push(&repository, "try-it", "second").await;
    let url = ground.live(&id).await["url"].as_str().unwrap().to_owned();
    ground.forge().has_comment_with(&url).await;
    assert_eq!(ground.forge().comments().len(), 1);
}

#[tokio::test]
async fn without_a_token_or_with_comments_off_the_forge_hears_less() {
    let Some(ground) = Ground::with_forge(Dialect::Gitlab).await else { return };
    let repository = page(&ground.git, "page");
    ground.connect_with(&repository, json!({}), json!({ "pr_comments_enabled": false })).await;
    let commit = repository.branch("try-it").commit("x");
    ground.hear(&Webhook::pull_request(Dialect::Gitlab, "try-it", &commit)).await;
    let id = ground.push(&repository, "try-it", "first").await;
    ground.live(&id).await;
    ground.forge().comes_to(&repository.head(), "success").await;
    assert!(ground.forge().comments().is_empty());

    let access = ground.api.get(&project(DEMO, "/source")).ok().await;
    assert!(!access.to_string().contains(FORGE_TOKEN), "a token is never shown: {access}");
    ground.set_credentials(&json!({ "token": null })).await;
    let calls = ground.forge().calls().len();
    let id = ground.push(&repository, "try-it", "second").await;
    let live = ground.live(&id).await;
    ground.server.shows(host_of(live["url"].as_str().unwrap()), "page").await;
    assert_eq!(ground.forge().calls().len(), calls);
    assert!(!ground.server.log().contains(FORGE_TOKEN));
}

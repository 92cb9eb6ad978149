//! The outbox: a forge always hears the last state.

use offprint_model::config::Patch;
use offprint_model::secret::Secret;
use offprint_model::stages::{StageName, StageStatus};
use offprint_model::time::Timestamp;
use offprint_store::{Clock, FeedbackItem, ProjectScope, PullRequest, SourceCredentialsPatch};

use crate::support::{World, built};

async fn with_token(world: &World, name: &str) -> ProjectScope {
    let project = world.git_project(name).await;
    let token = Patch::Set(Secret::new("token".to_owned()));
    let patch = SourceCredentialsPatch { token, ..SourceCredentialsPatch::default() };
    world.store.change_source_credentials(&project, patch).await.unwrap();
    project
}

/// All that waits, whenever it is due.
async fn waiting(world: &World) -> Vec<FeedbackItem> {
    world.store.due_feedback(Timestamp::from_micros(i64::MAX), 100).await.unwrap()
}

#[tokio::test]
async fn every_change_of_state_is_told() {
    let world = World::new().await;
    let project = with_token(&world, "demo").await;
    let made = world.push(&project, "main", "1").await;
    let told = async |expected: StageStatus, stage| {
        let [item] = &waiting(&world).await[..] else { panic!("one deployment waits to be told") };
        assert_eq!(item.deployment.id, made.id);
        assert_eq!(item.deployment.stages.get(stage).status, expected);
        assert!(item.newest && item.token.expose() == "token" && item.pull_request.is_none());
        world.store.feedback_done(item.id).await.unwrap();
        assert!(waiting(&world).await.is_empty());
    };
    assert!(world.store.due_feedback(made.created, 9).await.unwrap().is_empty(), "not at once");
    told(StageStatus::Active, StageName::Queued).await;
    let lease = world.claim_build().await.unwrap();
    world.store.set_stages(&lease, built(made.stages)).await.unwrap();
    told(StageStatus::Success, StageName::Build).await;
    world.build(&lease, &[("/a.html", "a")]).await.unwrap();
    told(StageStatus::Success, StageName::Deploy).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn a_change_while_it_is_told_is_told_as_well() {
    let world = World::new().await;
    let project = with_token(&world, "demo").await;
    let made = world.push(&project, "main", "1").await;
    let before = waiting(&world).await.remove(0);
    world.store.cancel_deployment(&project, &made.id).await.unwrap();
    world.store.feedback_done(before.id).await.unwrap();
    world.store.feedback_failed(before.id, Timestamp::from_micros(i64::MAX)).await.unwrap();
    let after = waiting(&world).await.remove(0);
    assert!(after.deployment.stages.is_terminal() && after.failures == 0 && after.id != before.id);
    let later = Timestamp::from_micros(Clock::now().as_micros() + 60_000_000);
    world.store.feedback_failed(after.id, later).await.unwrap();
    assert!(world.store.due_feedback(Clock::now(), 9).await.unwrap().is_empty());
    assert_eq!(waiting(&world).await[0].failures, 1);
    world.store.delete_deployment(&project, &made.id, false).await.unwrap();
    assert!(waiting(&world).await.is_empty());
}

#[tokio::test]
async fn nobody_is_told_without_a_token_and_of_uploads() {
    let world = World::new().await;
    let silent = world.git_project("silent").await;
    world.push(&silent, "main", "1").await;
    let project = with_token(&world, "demo").await;
    world.deploy(&project, "main", &[("/a.html", "a")]).await;
    assert!(waiting(&world).await.is_empty());
    world.push(&project, "main", "1").await;
    let clear = SourceCredentialsPatch { token: Patch::Clear, ..SourceCredentialsPatch::default() };
    world.store.change_source_credentials(&project, clear).await.unwrap();
    assert!(waiting(&world).await.is_empty());
}

#[tokio::test]
async fn skipped_and_superseded_builds_are_told_too() {
    let world = World::new().await;
    let project = with_token(&world, "demo").await;
    let old = world.push(&project, "x", "1").await;
    for item in waiting(&world).await {
        world.store.feedback_done(item.id).await.unwrap();
    }
    let new = world.push(&project, "x", "2").await;
    let items = waiting(&world).await;
    let newest: Vec<_> = items.iter().map(|item| (item.deployment.id.clone(), item.newest)).collect();
    assert!(newest.contains(&(old.id, false)) && newest.contains(&(new.id, true)) && newest.len() == 2);
}

#[tokio::test]
async fn a_deployment_belongs_to_the_open_pull_request_of_its_branch() {
    let world = World::new().await;
    let project = with_token(&world, "demo").await;
    world.push(&project, "x", "1").await;
    let item = waiting(&world).await.remove(0);
    assert!(item.pull_request.is_none());
    world.store.feedback_done(item.id).await.unwrap();

    // It is opened after the push: the deployment is to be told once more, for there is no comment yet.
    let ours = PullRequest { fork: false, ..crate::pull_requests::fork(4, "x", "1") };
    world.store.note_pull_request(&project, ours.clone(), None).await.unwrap();
    world.store.note_pull_request(&project, crate::pull_requests::fork(5, "x", "1"), None).await.unwrap();
    let item = waiting(&world).await.remove(0);
    assert_eq!((item.pull_request, item.comment_id.as_deref()), (Some(4), None));
    world.store.note_comment(&project, 4, Some("77")).await.unwrap();
    world.store.note_comment(&project, 99, Some("unknown")).await.unwrap();
    assert_eq!(waiting(&world).await[0].comment_id.as_deref(), Some("77"));
    world.store.note_pull_request(&project, ours.clone(), None).await.unwrap();
    assert_eq!(waiting(&world).await[0].id, item.id, "nothing new");
    world.store.note_comment(&project, 4, None).await.unwrap();
    assert!(waiting(&world).await[0].comment_id.is_none());
    world.store.note_pull_request(&project, PullRequest { open: false, ..ours }, None).await.unwrap();
    assert!(waiting(&world).await[0].pull_request.is_none());
}

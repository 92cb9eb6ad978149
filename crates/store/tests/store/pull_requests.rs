//! Pull requests: an approval is for one commit.

use offprint_model::deployment::{Commit, SkipReason};
use offprint_store::{Entity, NewBuild, PullRequest, StoreError};

use crate::support::{World, branch, new_build};

/// An open pull request of a fork.
pub(crate) fn fork(number: u64, from: &str, commit: &str) -> PullRequest {
    PullRequest {
        number,
        branch: branch(from),
        commit: Commit { hash: commit.into(), message: "Words".into(), dirty: false },
        fork: true,
        open: true,
        title: format!("Request {number}"),
    }
}

#[tokio::test]
async fn pull_requests_are_listed_as_they_were_last_described() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let note = async |request| world.store.note_pull_request(&project, request, None).await.unwrap();
    note(fork(1, "a", "1")).await;
    note(fork(2, "b", "1")).await;
    note(fork(3, "c", "1")).await;
    note(PullRequest { open: false, ..fork(3, "c", "2") }).await;
    note(fork(1, "a", "2")).await;
    let listed = world.store.pull_requests(&project).await.unwrap();
    let numbers: Vec<u64> = listed.iter().map(|row| row.pull_request.number).collect();
    assert_eq!(numbers, [2, 1, 3], "open ones first");
    assert_eq!(listed[1].pull_request, fork(1, "a", "2"));
    assert!(listed.iter().all(|row| row.approved.is_none()));
}

#[tokio::test]
async fn an_approval_is_worth_nothing_for_another_commit() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let build = async |commit: &str| {
        let new = NewBuild { untrusted: true, pull_request: Some(1), ..new_build("x", commit) };
        world.store.create_build(&project, new, None).await.map(drop)
    };
    let refused = |result| matches!(result, Err(StoreError::NotApproved));
    assert!(refused(build("good").await), "nobody knows the pull request");
    world.store.note_pull_request(&project, fork(1, "x", "good"), None).await.unwrap();
    assert!(refused(build("good").await));
    world.store.approve_pull_request(&project, 1, "good").await.unwrap();
    build("good").await.unwrap();
    assert!(refused(build("evil").await) && refused(build("").await));

    // The head moves on: the approval of what was there before does not count for what is there now.
    world.store.note_pull_request(&project, fork(1, "x", "evil"), None).await.unwrap();
    assert!(refused(build("evil").await));
    let listed = world.store.pull_requests(&project).await.unwrap();
    assert_eq!(listed[0].approved.as_deref(), Some("good"));
    let stale = world.store.approve_pull_request(&project, 1, "good").await;
    assert!(matches!(stale, Err(StoreError::NotApprovable(_))));
    let new = NewBuild { skip: Some(SkipReason::PathConfig), ..new_build("x", "evil") };
    let new = NewBuild { untrusted: true, pull_request: Some(1), ..new };
    let skipped = world.store.create_build(&project, new, None).await.unwrap();
    assert!(refused(world.store.retry_deployment(&project, &skipped.id).await.map(drop)));
    world.assert_sound().await;
}

#[tokio::test]
async fn only_an_open_head_is_approved_and_a_fork_stays_one() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let unknown = world.store.approve_pull_request(&project, 1, "x").await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Entity::PullRequest))));
    world.store.note_pull_request(&project, fork(1, "x", ""), None).await.unwrap();
    let empty = world.store.approve_pull_request(&project, 1, "").await;
    assert!(matches!(empty, Err(StoreError::NotApprovable(_))));
    let closed = PullRequest { open: false, ..fork(1, "x", "1") };
    world.store.note_pull_request(&project, closed, None).await.unwrap();
    let refused = world.store.approve_pull_request(&project, 1, "1").await;
    assert!(matches!(refused, Err(StoreError::NotApprovable(_))));
    let ours = PullRequest { fork: false, ..fork(1, "x", "1") };
    world.store.note_pull_request(&project, ours, None).await.unwrap();
    assert!(world.store.pull_requests(&project).await.unwrap()[0].pull_request.fork);
    let unnamed = NewBuild { untrusted: true, ..new_build("x", "1") };
    let refused = world.store.create_build(&project, unnamed, None).await;
    assert!(matches!(refused, Err(StoreError::NotApproved)), "whose approval would that be?");
}

#[tokio::test]
async fn a_pull_request_of_the_repository_itself_needs_no_approval() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let ours = PullRequest { fork: false, ..fork(1, "x", "1") };
    world.store.note_pull_request(&project, ours, None).await.unwrap();
    let new = NewBuild { pull_request: Some(1), ..new_build("x", "1") };
    world.store.create_build(&project, new, None).await.unwrap();
    let lease = world.claim_build().await.unwrap();
    let work = world.store.work(&lease).await.unwrap();
    assert!(!work.untrusted && work.pull_request == Some(1));
}

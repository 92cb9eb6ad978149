//! The queue of builds: who comes first, how many at once, and which are superseded.

use std::collections::HashSet;
use std::time::Duration;

use offprint_model::deployment::SkipReason;
use offprint_store::{Claim, Lease, NewProject, StoreError};

use crate::support::{TTL, World, new_build, new_project, scope_of, source};

#[tokio::test]
async fn uploads_and_builds_wait_in_queues_of_their_own() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let pushed = world.push(&project, "main", "1").await;
    let uploaded = world.create(&project, "main", &[("/a.html", "a")]).await;
    let lease = world.store.claim_upload("w", TTL).await.unwrap().unwrap();
    assert_eq!(lease.deployment_id(), &uploaded.id);
    assert!(world.store.claim_upload("w", TTL).await.unwrap().is_none());
    let lease = world.claim_build().await.unwrap();
    assert_eq!(lease.deployment_id(), &pushed.id);
    assert!(world.claim_build().await.is_none());
}

#[tokio::test]
async fn production_is_built_first_and_then_the_oldest() {
    let world = World::new().await;
    let (a, b) = (world.git_project("a").await, world.git_project("b").await);
    let mut pushed = Vec::new();
    for (project, branch) in [(&a, "x"), (&a, "y"), (&b, "main"), (&b, "x"), (&a, "main")] {
        pushed.push(world.push(project, branch, "1").await.id);
    }
    let mut claimed = Vec::new();
    while let Some(lease) = world.claim_build().await {
        claimed.push(lease.deployment_id().clone());
    }
    let expected: Vec<_> = [2, 4, 0, 1, 3].map(|index: usize| pushed[index].clone()).into();
    assert_eq!(claimed, expected);
}

#[tokio::test]
async fn an_account_builds_only_so_many_at_once() {
    let world = World::new().await;
    let mine = world.git_project("mine").await;
    let account = scope_of(&world.store, &"f".repeat(32), "other").await.unwrap();
    let new = NewProject { source: Some(source()), ..new_project("theirs") };
    world.store.create_project(&account, new).await.unwrap();
    let name = offprint_model::name::ProjectName::parse("theirs").unwrap();
    let (theirs, _) = world.store.project(&account, &name).await.unwrap();
    for branch in ["a", "b", "c", "d"] {
        world.push(&mine, branch, "1").await;
    }
    let their = world.push(&theirs, "a", "1").await;
    let claim =
        async |ttl| world.store.claim_build("w", ttl, Some(2)).await.unwrap().and_then(Claim::deployment);
    let short = claim(Duration::from_millis(500)).await.unwrap();
    let second = claim(TTL).await.unwrap();
    assert_eq!(claim(TTL).await.unwrap().deployment_id(), &their.id, "the others are not held up");
    assert!(claim(TTL).await.is_none());
    // A lease that nobody renews does not count.
    tokio::time::sleep(Duration::from_millis(520)).await;
    let again = claim(TTL).await.unwrap();
    assert_eq!((again.deployment_id(), again.attempt()), (short.deployment_id(), 2));
    assert!(claim(TTL).await.is_none());
    world.build(&second, &[("/a.html", "a")]).await.unwrap();
    assert!(claim(TTL).await.is_some());
    assert!(claim(TTL).await.is_none());
    assert!(world.claim_build().await.is_some(), "without a limit all are built");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claimers_at_once_keep_to_the_limit_and_share_no_job() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    for n in 0..10 {
        world.push(&project, &format!("b{n}"), "1").await;
    }
    let mut workers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = world.store.clone();
        workers.spawn(async move {
            let mut leases: Vec<Lease> = Vec::new();
            let worker = format!("worker {n}");
            while let Some(lease) =
                store.claim_build(&worker, TTL, Some(3)).await.unwrap().and_then(Claim::deployment)
            {
                leases.push(lease);
            }
            leases
        });
    }
    let leases: Vec<Lease> = workers.join_all().await.into_iter().flatten().collect();
    let deployments: HashSet<_> = leases.iter().map(|lease| lease.deployment_id().clone()).collect();
    assert_eq!((leases.len(), deployments.len()), (3, 3));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_newer_push_supersedes_what_nobody_has_begun() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let begun = world.push(&project, "x", "1").await;
    let lease = world.claim_build().await.unwrap();
    let waiting = world.push(&project, "x", "2").await;
    let other = world.push(&project, "y", "2").await;
    let newest = world.push(&project, "x", "3").await;
    let read = async |id| world.store.deployment(&project, id).await.unwrap();
    let superseded = read(&waiting.id).await;
    assert_eq!(superseded.skipped, Some(SkipReason::SupersededQueuedBuild));
    assert!(superseded.stages.is_terminal() && !superseded.stages.is_success());
    assert!(world.store.logs(&project, &waiting.id).await.unwrap()[0].text.starts_with("Skipped"));
    assert!(read(&begun.id).await.skipped.is_none() && read(&other.id).await.skipped.is_none());
    // One that was begun is not superseded, though it waits again.
    world.store.release(&lease).await.unwrap();
    world.push(&project, "x", "4").await;
    assert!(read(&begun.id).await.skipped.is_none());
    assert!(read(&newest.id).await.skipped.is_some());
    world.assert_sound().await;
}

#[tokio::test]
async fn a_fork_supersedes_only_itself() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let ours = world.push(&project, "x", "1").await;
    let mut approved = Vec::new();
    for commit in ["2", "3"] {
        world
            .store
            .note_pull_request(&project, crate::pull_requests::fork(5, "x", commit), None)
            .await
            .unwrap();
        world.store.approve_pull_request(&project, 5, commit).await.unwrap();
        let new =
            offprint_store::NewBuild { untrusted: true, pull_request: Some(5), ..new_build("x", commit) };
        approved.push(world.store.create_build(&project, new, None).await.unwrap().id);
    }
    let skipped = async |id| world.store.deployment(&project, id).await.unwrap().skipped.is_some();
    assert!(!skipped(&ours.id).await && skipped(&approved[0]).await && !skipped(&approved[1]).await);
    world.push(&project, "x", "4").await;
    assert!(skipped(&ours.id).await && !skipped(&approved[1]).await);
    // It was approved before it was superseded, but another commit has been since.
    let refused = world.store.retry_deployment(&project, &approved[0]).await;
    assert!(matches!(refused, Err(StoreError::NotApproved)));
    world.store.retry_deployment(&project, &approved[1]).await.unwrap();
    world.assert_sound().await;
}

/// A push and a claim at once: the older build is either begun or superseded, never both.
#[tokio::test(flavor = "multi_thread")]
async fn superseding_and_claiming_agree() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    for n in 0..30 {
        let branch = format!("b{n}");
        let old = world.push(&project, &branch, "old").await;
        let (store, scope) = (world.store.clone(), project.clone());
        let newer = new_build(&branch, "new");
        let push = tokio::spawn(async move { store.create_build(&scope, newer, None).await.unwrap() });
        let store = world.store.clone();
        let claim = tokio::spawn(async move {
            store.claim_build("w", TTL, None).await.unwrap().and_then(Claim::deployment)
        });
        let (new, lease) = (push.await.unwrap(), claim.await.unwrap());
        let superseded = world.store.deployment(&project, &old.id).await.unwrap().skipped.is_some();
        match lease {
            Some(lease) if lease.deployment_id() == &old.id => {
                assert!(!superseded);
                assert!(world.store.holds_lease(&lease).await.unwrap());
            }
            Some(lease) => {
                assert!(superseded);
                assert_eq!(lease.deployment_id(), &new.id);
            }
            // Looking found the old one, and then it was gone.
            None => assert!(superseded),
        }
        while world.claim_build().await.is_some() {}
    }
    world.assert_sound().await;
}

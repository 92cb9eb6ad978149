//! Canceling: one truth, whoever else is at it.

use offprint_model::deployment::LogLine;
use offprint_model::stages::{StageName, StageStatus};
use offprint_store::{Claim, Clock, Entity, Lease, NewContent, StoreError};

use crate::support::{TTL, World, built, deploying, failed, run};

#[tokio::test]
async fn a_deployment_that_waits_is_cancelled() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let pushed = world.push(&project, "main", "1").await;
    let uploaded = world.create(&project, "main", &[("/a.html", "a")]).await;
    for id in [&pushed.id, &uploaded.id] {
        let canceled = world.store.cancel_deployment(&project, id).await.unwrap();
        assert_eq!(canceled.stages.get(StageName::Queued).status, StageStatus::Canceled);
        assert_eq!(world.store.logs(&project, id).await.unwrap()[0].text, "Canceled.");
        let again = world.store.cancel_deployment(&project, id).await;
        assert!(matches!(again, Err(StoreError::NotCancelable)));
    }
    assert!(world.claim_build().await.is_none());
    assert!(world.store.claim_upload("w", TTL).await.unwrap().is_none());
    world.assert_sound().await;
    let retried = world.store.retry_deployment(&project, &pushed.id).await.unwrap();
    assert_eq!(world.claim_build().await.unwrap().deployment_id(), &retried.id);
    let other = world.project("other").await;
    let foreign = world.store.cancel_deployment(&other, &retried.id).await;
    assert!(matches!(foreign, Err(StoreError::NotFound(Entity::Deployment))));
    world.store.delete_deployment(&project, &pushed.id, false).await.unwrap();
    world.assert_sound().await;
}

/// Every write of the worker of a build that was canceled.
async fn assert_lost(world: &World, lease: &Lease) {
    let store = &world.store;
    let line = LogLine { at: Clock::now(), text: "late".into() };
    let stages = offprint_model::stages::Stages::queued(Clock::now());
    for refused in [
        store.renew(lease, TTL).await,
        store.work(lease).await.map(drop),
        store.set_stages(lease, deploying(stages)).await,
        store.append_log(lease, &[line]).await,
        store.attach_content(lease, NewContent::default()).await,
        store.seal(lease).await.map(drop),
        store.finish_failed(lease, failed(stages)).await,
        store.release(lease).await,
    ] {
        assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    }
    assert!(!store.holds_lease(lease).await.unwrap());
}

#[tokio::test]
async fn a_build_that_runs_is_cancelled_and_its_worker_can_write_nothing() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let made = world.push(&project, "main", "1").await;
    let lease = world.claim_build().await.unwrap();
    world.store.set_stages(&lease, built(made.stages)).await.unwrap();
    world.store.attach_content(&lease, world.content(&[("/a.html", "a")]).await).await.unwrap();
    assert!(world.store.holds_lease(&lease).await.unwrap());
    let canceled = world.store.cancel_deployment(&project, &made.id).await.unwrap();
    assert_eq!(canceled.stages.get(StageName::Deploy).status, StageStatus::Canceled);
    assert_lost(&world, &lease).await;
    assert_eq!(world.live(&project).await, None);
    assert!(world.claim_build().await.is_none());
    world.assert_sound().await;
}

/// Canceling races with the last step of the worker. Either the deployment is live or it was canceled.
#[tokio::test(flavor = "multi_thread")]
async fn canceling_and_activating_agree() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let mut canceled = 0;
    for n in 0..30 {
        let before = world.live(&project).await;
        let made = world.create(&project, "main", &[("/a.html", &format!("{n}"))]).await;
        let lease = world.claim(&made.id).await;
        let store = world.store.clone();
        let work = tokio::spawn(async move { run(&store, &lease).await });
        let (store, scope, id) = (world.store.clone(), project.clone(), made.id.clone());
        let cancel = tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_micros(700 * (n % 10))).await;
            store.cancel_deployment(&scope, &id).await
        });
        let (worked, cancel) = (work.await.unwrap(), cancel.await.unwrap());
        let read = world.store.deployment(&project, &made.id).await.unwrap();
        let live = world.live(&project).await;
        match (worked, cancel) {
            (Ok(()), Err(StoreError::NotCancelable)) => {
                assert!(read.stages.is_success() && live == Some(made.id));
            }
            (Err(StoreError::LeaseLost), Ok(_)) => {
                canceled += 1;
                assert!(!read.stages.is_success() && read.stages.is_terminal() && live == before);
            }
            (worked, cancel) => panic!("{worked:?} and {:?}", cancel.map(drop)),
        }
    }
    println!("canceled {canceled} of 30");
    world.assert_sound().await;
}

/// Canceling races with a claim. Whoever has claimed it learns that it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn canceling_and_claiming_agree() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    for n in 0..30 {
        let made = world.push(&project, &format!("b{n}"), "1").await;
        let store = world.store.clone();
        let claim = tokio::spawn(async move {
            store.claim_build("w", TTL, None).await.unwrap().and_then(Claim::deployment)
        });
        let (store, scope, id) = (world.store.clone(), project.clone(), made.id.clone());
        let cancel = tokio::spawn(async move { store.cancel_deployment(&scope, &id).await.unwrap() });
        let (lease, canceled) = (claim.await.unwrap(), cancel.await.unwrap());
        assert!(canceled.stages.is_terminal());
        if let Some(lease) = lease {
            assert_lost(&world, &lease).await;
        }
        assert!(world.claim_build().await.is_none());
    }
    world.assert_sound().await;
}

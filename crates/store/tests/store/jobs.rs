//! The queue: one holder at a time, and the fence around every write.

use std::collections::HashSet;
use std::time::Duration;

use offprint_model::deployment::LogLine;
use offprint_model::stages::{StageEnd, StageName};
use offprint_store::{Clock, Lease, StoreError};

use crate::support::{TTL, World, deploying, failed, run, succeeded};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_leased_once() {
    let world = World::new().await;
    let project = world.project("demo").await;
    for n in 0..20 {
        world.create(&project, "main", &[("/a.html", &format!("{n}"))]).await;
    }
    let mut workers = tokio::task::JoinSet::new();
    for n in 0..6 {
        let store = world.store.clone();
        workers.spawn(async move {
            let mut leases = Vec::new();
            while let Some(lease) = store.claim_upload(&format!("worker {n}"), TTL).await.unwrap() {
                leases.push(lease);
            }
            leases
        });
    }
    let leases: Vec<Lease> = workers.join_all().await.into_iter().flatten().collect();
    let deployments: HashSet<_> = leases.iter().map(|lease| lease.deployment_id().clone()).collect();
    assert_eq!((leases.len(), deployments.len()), (20, 20));
    assert!(leases.iter().all(|lease| lease.attempt() == 1));
}

#[tokio::test]
async fn the_oldest_job_comes_first_and_a_released_one_again() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let first = world.create(&project, "main", &[("/a.html", "1")]).await;
    world.create(&project, "main", &[("/a.html", "2")]).await;
    let lease = world.store.claim_upload("w", TTL).await.unwrap().unwrap();
    assert_eq!(lease.deployment_id(), &first.id);
    world.store.release(&lease).await.unwrap();
    assert!(matches!(world.store.renew(&lease, TTL).await, Err(StoreError::LeaseLost)));
    let again = world.store.claim_upload("w", TTL).await.unwrap().unwrap();
    assert_eq!((again.deployment_id(), again.attempt()), (&first.id, 2));
}

/// Every write of a holder whose lease has gone.
async fn assert_fenced(world: &World, lease: &Lease, old: offprint_store::Sealed) {
    let store = &world.store;
    let stages = deploying(offprint_model::stages::Stages::queued(Clock::now()));
    let line = LogLine { at: Clock::now(), text: "late".into() };
    for refused in [
        store.renew(lease, TTL).await,
        store.work(lease).await.map(drop),
        store.set_stages(lease, stages).await,
        store.append_log(lease, &[line]).await,
        store.seal(lease).await.map(drop),
        store.activate(old, lease, succeeded(stages)).await,
        store.finish_failed(lease, failed(stages)).await,
        store.release(lease).await,
    ] {
        assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    }
}

#[tokio::test]
async fn an_expired_lease_goes_to_another_and_the_first_holder_can_write_nothing() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let made = world.create(&project, "main", &[("/a.html", "1")]).await;
    let slow = world.store.claim_upload("slow", Duration::from_secs(2)).await.unwrap().unwrap();
    let sealed = world.store.seal(&slow).await.unwrap();
    assert!(world.store.claim_upload("quick", TTL).await.unwrap().is_none());
    tokio::time::sleep(Duration::from_millis(2100)).await;
    // Nobody else has claimed it: the slow one may go on.
    world.store.set_stages(&slow, deploying(made.stages)).await.unwrap();
    let quick = world.store.claim_upload("quick", TTL).await.unwrap().unwrap();
    assert_eq!(quick.attempt(), 2);
    assert_fenced(&world, &slow, sealed).await;
    run(&world.store, &quick).await.unwrap();
    assert!(world.store.deployment(&project, &made.id).await.unwrap().stages.is_success());
    assert_eq!(world.store.logs(&project, &made.id).await.unwrap().len(), 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_renewed_lease_is_not_given_away() {
    let world = World::new().await;
    let project = world.project("demo").await;
    world.create(&project, "main", &[("/a.html", "1")]).await;
    let lease = world.store.claim_upload("w", Duration::from_millis(10)).await.unwrap().unwrap();
    world.store.renew(&lease, TTL).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(world.store.claim_upload("v", TTL).await.unwrap().is_none());
}

#[tokio::test]
async fn deleting_a_running_deployment_fences_its_holder_off() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let made = world.create(&project, "main", &[("/a.html", "1")]).await;
    let lease = world.claim(&made.id).await;
    let sealed = world.store.seal(&lease).await.unwrap();
    world.store.delete_deployment(&project, &made.id, false).await.unwrap();
    assert_fenced(&world, &lease, sealed).await;
    assert_eq!(world.live(&project).await, None);
    assert!(world.store.claim_upload("w", TTL).await.unwrap().is_none());
    world.assert_sound().await;
}

#[tokio::test]
async fn stages_go_forward_and_end_once() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let made = world.create(&project, "main", &[("/a.html", "1")]).await;
    let lease = world.claim(&made.id).await;
    let store = &world.store;
    let on = deploying(made.stages);
    store.set_stages(&lease, on).await.unwrap();
    store.set_stages(&lease, on).await.unwrap();
    let illegal = |result| assert!(matches!(result, Err(StoreError::IllegalStages(_))), "{result:?}");
    illegal(store.set_stages(&lease, made.stages).await);
    illegal(store.set_stages(&lease, succeeded(on)).await);
    illegal(store.finish_failed(&lease, succeeded(on)).await);
    illegal(store.finish_failed(&lease, on).await);
    illegal(store.activate(store.seal(&lease).await.unwrap(), &lease, on).await);
    store.finish_failed(&lease, failed(on)).await.unwrap();
    assert!(matches!(store.set_stages(&lease, on).await, Err(StoreError::LeaseLost)));
    assert_eq!(world.live(&project).await, None);
    let refused = store.rollback(&project, &made.id).await;
    assert!(matches!(refused, Err(StoreError::NotRollbackable(_))));
    let routes = store.routing_since(0).await.unwrap().projects.remove(0).1.unwrap();
    assert!(routes.deployments.is_empty(), "a failed deployment has no host");
    world.assert_sound().await;

    let canceled = world.create(&project, "main", &[("/a.html", "2")]).await;
    let lease = world.claim(&canceled.id).await;
    let ended = canceled.stages.end(StageName::Queued, StageEnd::Canceled, Clock::now()).unwrap();
    store.finish_failed(&lease, ended).await.unwrap();
    world.assert_sound().await;
}

#[tokio::test]
async fn a_seal_is_good_for_its_deployment_only() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let a = world.create(&project, "main", &[("/a.html", "1")]).await;
    let b = world.create(&project, "main", &[("/a.html", "2")]).await;
    let (lease_a, lease_b) = (world.claim(&a.id).await, world.claim(&b.id).await);
    let sealed = world.store.seal(&lease_a).await.unwrap();
    let refused = world.store.activate(sealed, &lease_b, succeeded(deploying(b.stages))).await;
    assert!(matches!(refused, Err(StoreError::IllegalStages(_))));
}

#[tokio::test]
async fn a_lost_blob_cannot_be_sealed() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let made = world.create(&project, "main", &[("/a.html", "lost"), ("/b.html", "b")]).await;
    let lease = world.claim(&made.id).await;
    let hex = offprint_model::asset::BlobHash::of(b"lost").to_hex();
    let path = world.dir.path().join("blobs").join(&hex[..2]).join(&hex);
    std::fs::write(&path, "short").unwrap();
    let refused = world.store.seal(&lease).await;
    assert!(matches!(refused, Err(StoreError::Unsealed { total: 1, .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(world.store.seal(&lease).await.is_err());
    std::fs::write(&path, "lost").unwrap();
    run(&world.store, &lease).await.unwrap();
    world.assert_sound().await;
}

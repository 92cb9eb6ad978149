//! Compressed variants: which sites are to be looked at, and that packs come and go with their blobs.

use std::path::PathBuf;
use std::time::Duration;

use offprint_model::asset::BlobHash;
use offprint_model::encoding::EncodingSet;
use offprint_store::SiteHash;
use offprint_store::invariants::check_invariants;

use crate::support::{World, deploying, failed, make_variants, pack_of};

const NOW: Duration = Duration::ZERO;
const HOUR: Duration = Duration::from_secs(3600);
const TEXT: &str = "To be, or not to be, that is to be or not to be, or to be not to be, not to be or to be.";

fn pack_file(world: &World, blob: BlobHash) -> PathBuf {
    let hex = blob.to_hex();
    world.dir.path().join("blobs").join(&hex[..2]).join(hex + ".variants")
}

async fn waiting(world: &World) -> Option<SiteHash> {
    world.store.variant_work().await.unwrap().map(|work| work.site)
}

#[tokio::test]
async fn a_site_waits_from_its_activation_until_it_was_looked_at() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let broken = world.create(&project, "main", &[("/a.html", "broken")]).await;
    let lease = world.claim(&broken.id).await;
    world.store.finish_failed(&lease, failed(deploying(broken.stages))).await.unwrap();
    assert_eq!(waiting(&world).await, None, "what is not served is not compressed");

    world.create(&project, "main", &[("/a.html", TEXT)]).await;
    assert!(world.store.has_open_job(5).await.unwrap());
    assert_eq!(waiting(&world).await, None, "not live yet");
    world.run_jobs().await;
    assert!(!world.store.has_open_job(5).await.unwrap());
    let first = waiting(&world).await.unwrap();
    world.deploy(&project, "x", &[("/a.html", "another")]).await;
    let world = world.reopen().await;
    assert_eq!(waiting(&world).await, Some(first), "the one that has waited longest");
    assert!(make_variants(&world.store).await.unwrap());
    assert_ne!(waiting(&world).await, Some(first));
    assert!(make_variants(&world.store).await.unwrap());
    assert_eq!(waiting(&world).await, None);
    let world = world.reopen().await;
    let variants = world.store.blobs().variants(&BlobHash::of(TEXT.as_bytes())).await.unwrap();
    assert_eq!(variants.unwrap().encodings(), EncodingSet::ALL);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_job_that_never_ends_does_not_count_for_ever() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let made = world.create(&project, "main", &[("/a.html", "a")]).await;
    for attempt in 1..=3 {
        let lease = world.claim(&made.id).await;
        assert_eq!(lease.attempt(), attempt);
        world.store.release(&lease).await.unwrap();
    }
    assert!(world.store.has_open_job(3).await.unwrap());
    assert!(!world.store.has_open_job(2).await.unwrap());
}

#[tokio::test]
async fn a_site_that_failed_rests_until_its_time_or_until_it_is_deployed_again() {
    let world = World::new().await;
    let project = world.project("demo").await;
    world.deploy(&project, "main", &[("/a.html", TEXT)]).await;
    for failures in 0..3 {
        let work = world.store.variant_work().await.unwrap().unwrap();
        assert_eq!(work.failures, failures);
        world.store.postpone_variants(work, NOW).await.unwrap();
    }
    let work = world.store.variant_work().await.unwrap().unwrap();
    world.store.postpone_variants(work, HOUR).await.unwrap();
    assert_eq!(waiting(&world).await, None);
    world.deploy(&project, "main", &[("/a.html", TEXT)]).await;
    let work = world.store.variant_work().await.unwrap().unwrap();
    assert_eq!(work.failures, 0);
}

#[tokio::test]
async fn what_is_deleted_is_not_looked_at_and_its_packs_go_with_its_blobs() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let shared = format!("{TEXT} shared");
    let old = world.deploy(&project, "x", &[("/a.html", TEXT), ("/b.html", &shared)]).await;
    world.deploy(&project, "main", &[("/b.html", &shared)]).await;
    while make_variants(&world.store).await.unwrap() {}
    world.deploy(&project, "x", &[("/c.html", "never compressed")]).await;
    for id in [&old.id, &world.lookup("demo").await.1.latest.unwrap()] {
        world.store.delete_deployment(&project, id, true).await.unwrap();
    }
    assert_eq!(waiting(&world).await, None);
    let (gone, kept) = (BlobHash::of(TEXT.as_bytes()), BlobHash::of(shared.as_bytes()));
    world.store.collect(HOUR).await.unwrap();
    assert!(pack_file(&world, gone).exists(), "a pack stays as long as its blob");
    let collected = world.store.collect(NOW).await.unwrap();
    assert_eq!(collected.blobs, 4, "two assets and two documents");
    assert!(!pack_file(&world, gone).exists() && pack_file(&world, kept).exists());
    world.assert_sound().await;
    world.deploy(&project, "x", &[("/a.html", TEXT)]).await;
    assert!(make_variants(&world.store).await.unwrap());
    assert!(pack_file(&world, gone).exists(), "it came back");
}

#[tokio::test]
async fn packs_without_a_blob_go() {
    let world = World::new().await;
    let stray = BlobHash::of(b"stray");
    world.store.put_packs(vec![pack_of(stray, TEXT.as_bytes())]).await.unwrap();
    let foreign = pack_file(&world, stray).with_file_name("notes.txt");
    std::fs::write(&foreign, "not a pack").unwrap();
    world.store.collect(HOUR).await.unwrap();
    assert!(pack_file(&world, stray).exists());
    assert_eq!(world.store.collect(NOW).await.unwrap().blobs, 0, "a pack is not counted as a blob");
    assert!(!pack_file(&world, stray).exists() && foreign.exists());
}

#[tokio::test]
async fn a_variant_of_other_bytes_is_found_and_harms_nothing_else() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let live = world.deploy(&project, "main", &[("/a.html", TEXT)]).await;
    let blob = BlobHash::of(TEXT.as_bytes());
    let other = TEXT.replace("be", "me");
    world.store.put_packs(vec![pack_of(blob, other.as_bytes())]).await.unwrap();
    let broken = check_invariants(&world.store).await.unwrap();
    assert_eq!(broken.len(), 3, "{broken:?}");
    assert!(broken.iter().all(|line| line.contains("variant") && line.contains(&blob.to_hex())));
    assert_eq!(world.store.blobs().read(&blob).await.unwrap(), TEXT);
    world.store.rollback(&project, &live.id).await.unwrap();
    // As the message says.
    std::fs::remove_file(pack_file(&world, blob)).unwrap();
    world.assert_sound().await;
    world.deploy(&project, "main", &[("/a.html", TEXT), ("/b.html", "b")]).await;
    while make_variants(&world.store).await.unwrap() {}
    assert!(pack_file(&world, blob).exists());
    world.assert_sound().await;
}

//! Collection: what nothing holds goes, and nothing else.

use std::time::Duration;

use offprint_model::asset::BlobHash;
use offprint_store::{Collected, StoreError};

use crate::support::{World, key_of, run, upload};

const NOW: Duration = Duration::ZERO;
const HOUR: Duration = Duration::from_secs(3600);

fn files(world: &World) -> usize {
    let blobs = world.dir.path().join("blobs");
    (0..=255u8).map(|first| std::fs::read_dir(blobs.join(format!("{first:02x}"))).unwrap().count()).sum()
}

#[tokio::test]
async fn unpinned_blobs_go_after_the_grace_time_and_may_come_back() {
    let world = World::new().await;
    let uploads = vec![upload("/a.html", b"kept"), upload("/b.html", b"loose")];
    world.store.put_assets(&world.account, uploads).await.unwrap();
    let project = world.project("demo").await;
    world.deploy(&project, "main", &[("/a.html", "kept")]).await;
    assert_eq!(world.store.collect(HOUR).await.unwrap(), Collected::default());
    assert_eq!(files(&world), 3, "two assets and a document");
    let collected = world.store.collect(NOW).await.unwrap();
    assert_eq!(collected, Collected { blobs: 1, bytes: 5, keys: 1 });
    assert_eq!(files(&world), 2);
    world.assert_sound().await;
    let keys = [key_of("/a.html", b"kept"), key_of("/b.html", b"loose")];
    assert_eq!(world.store.missing_keys(&world.account, &keys).await.unwrap(), keys[1..]);
    world.deploy(&project, "main", &[("/b.html", "loose")]).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn what_a_deleted_deployment_held_goes_unless_another_holds_it() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let old = world.deploy(&project, "main", &[("/a.html", "shared"), ("/b.html", "old")]).await;
    let twin = world.deploy(&project, "x", &[("/a.html", "shared"), ("/b.html", "old")]).await;
    world.deploy(&project, "main", &[("/a.html", "shared"), ("/b.html", "new")]).await;
    world.store.delete_deployment(&project, &old.id, false).await.unwrap();
    assert_eq!(world.store.collect(NOW).await.unwrap().blobs, 0, "the twin has the same site");
    world.store.delete_deployment(&project, &twin.id, true).await.unwrap();
    assert_eq!(world.store.collect(HOUR).await.unwrap().blobs, 0);
    world.assert_sound().await;
    assert_eq!(world.store.collect(NOW).await.unwrap().blobs, 2, "its asset and its document");
    assert!(world.store.blobs().read(&BlobHash::of(b"shared")).await.is_ok());
    let gone = world.store.blobs().read(&BlobHash::of(b"old")).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_site_comes_back_between_its_last_deletion_and_the_collection() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let site = [("/a.html", "same")];
    let old = world.deploy(&project, "x", &site).await;
    world.store.delete_deployment(&project, &old.id, true).await.unwrap();
    let again = world.deploy(&project, "x", &site).await;
    assert_eq!(world.store.collect(NOW).await.unwrap(), Collected::default());
    world.assert_sound().await;
    world.store.delete_deployment(&project, &again.id, true).await.unwrap();
    world.store.collect(NOW).await.unwrap();
    assert_eq!(files(&world), 0);
    world.deploy(&project, "x", &site).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn a_deleted_project_leaves_nothing() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let other = world.project("other").await;
    world.deploy(&project, "main", &[("/a.html", "a"), ("/b.html", "shared")]).await;
    world.deploy(&project, "x", &[("/a.html", "shared")]).await;
    world.deploy(&other, "x", &[("/a.html", "shared")]).await;
    world.store.delete_project(&project).await.unwrap();
    world.assert_sound().await;
    world.store.collect(NOW).await.unwrap();
    assert_eq!(files(&world), 2, "the other's asset and document");
    world.assert_sound().await;
}

#[tokio::test]
async fn files_without_a_row_go() {
    let world = World::new().await;
    let hash = BlobHash::of(b"stray").to_hex();
    let path = world.dir.path().join("blobs").join(&hash[..2]).join(&hash);
    std::fs::write(&path, "stray").unwrap();
    std::fs::write(path.with_file_name("notes.txt"), "not a blob").unwrap();
    assert_eq!(world.store.collect(HOUR).await.unwrap().blobs, 0);
    assert_eq!(world.store.collect(NOW).await.unwrap().blobs, 1);
    assert!(!path.exists() && path.with_file_name("notes.txt").exists());
}

#[tokio::test]
async fn a_key_that_was_asked_for_is_kept() {
    let world = World::with(|options| options.blob_grace = Duration::from_millis(800)).await;
    world
        .store
        .put_assets(&world.account, vec![upload("/a.html", b"a"), upload("/b.html", b"b")])
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let asked = [key_of("/a.html", b"a")];
    assert!(world.store.missing_keys(&world.account, &asked).await.unwrap().is_empty());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.store.collect(Duration::from_millis(800)).await.unwrap().blobs, 1);
    assert!(world.store.missing_keys(&world.account, &asked).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_and_uploads_at_once_lose_nothing() {
    let world = World::new().await;
    let project = world.project("demo").await;
    // A second handle, as that of a command beside the server.
    let beside = offprint_store::Store::open(world.options()).await.unwrap();
    let mut collections = tokio::task::JoinSet::new();
    for store in [world.store.clone(), beside] {
        collections.spawn(async move {
            for _ in 0..6 {
                store.collect(NOW).await.unwrap();
            }
        });
    }
    for n in 0..40 {
        let text = format!("{}", n % 5);
        // Without a grace time a key may go between the upload and the deployment; never afterwards.
        let new = world.upload(&project, "x", &[("/a.html", &text), ("/b.html", "b")]).await.unwrap();
        match world.store.create_deployment(&project, new).await {
            Ok(made) => {
                let lease = world.claim(&made.id).await;
                run(&world.store, &lease).await.unwrap();
                if n % 3 == 0 {
                    world.store.delete_deployment(&project, &made.id, true).await.unwrap();
                }
            }
            Err(StoreError::MissingAssets { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    collections.join_all().await;
    world.assert_sound().await;
}

//! Uploads: durable, idempotent, within their account, checked when named.

use offprint_model::asset::{AssetPath, BlobHash, KeyHasher};
use offprint_store::{NewDeployment, PutReport, StoreError, Upload};

use crate::support::{World, key_of, new_deployment, scope_of, upload};

#[tokio::test]
async fn uploads_are_known_afterwards_in_their_account_only() {
    let world = World::new().await;
    let keys = [key_of("/a.html", b"a"), key_of("/b.css", b"b"), key_of("/a.html", b"a")];
    let missing = world.store.missing_keys(&world.account, &keys).await.unwrap();
    assert_eq!(missing, keys[..2]);
    let put = world.store.put_assets(&world.account, vec![upload("/a.html", b"a")]).await.unwrap();
    assert_eq!(put, PutReport { keys: 1, blobs: 1, bytes: 1 });
    let world = world.reopen().await;
    assert_eq!(world.store.missing_keys(&world.account, &keys).await.unwrap(), keys[1..2]);
    let other = scope_of(&world.store, &"f".repeat(32), "other").await.unwrap();
    assert_eq!(world.store.missing_keys(&other, &keys).await.unwrap(), keys[..2]);
    let again = world.store.put_assets(&other, vec![upload("/a.html", b"a")]).await.unwrap();
    assert_eq!(again, PutReport { keys: 1, blobs: 0, bytes: 0 });
    world.assert_sound().await;
}

#[tokio::test]
async fn one_content_under_two_extensions_is_one_blob() {
    let world = World::new().await;
    let uploads = vec![upload("/a.html", b"same"), upload("/a.txt", b"same"), upload("/a", b"same")];
    let put = world.store.put_assets(&world.account, uploads).await.unwrap();
    assert_eq!(put, PutReport { keys: 3, blobs: 1, bytes: 4 });
    let project = world.project("demo").await;
    let files = [("/a.html", "same"), ("/a.txt", "same"), ("/a", "same"), ("/b.html", "same")];
    let deployment = world.deploy(&project, "main", &files).await;
    assert!(deployment.stages.is_success());
    world.assert_sound().await;
}

#[tokio::test]
async fn uploads_of_one_blob_race_safely() {
    let world = World::new().await;
    let text = "x".repeat(100_000);
    let mut uploads = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (store, account) = (world.store.clone(), world.account.clone());
        let mut batch = vec![upload("/a.html", text.as_bytes())];
        batch.extend((0..n).map(|m| upload("/b.css", format!("{m}").as_bytes())));
        uploads.spawn(async move { store.put_assets(&account, batch).await.unwrap() });
    }
    uploads.join_all().await;
    let hash = BlobHash::of(text.as_bytes());
    assert_eq!(world.store.blobs().read(&hash).await.unwrap(), text.as_bytes());
    let (mut file, size) = world.store.blobs().open(&hash).await.unwrap();
    let mut read = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut file, &mut read).await.unwrap();
    assert!(read == text && size == 100_000);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_nothing_half_done() {
    let world = World::new().await;
    for n in 0..20u64 {
        let batch: Vec<Upload> = (0..30).map(|m| upload("/b.css", format!("{n} {m}").as_bytes())).collect();
        let put = world.store.put_assets(&world.account, batch);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(n * 300), put).await;
    }
    world.store.put_assets(&world.account, vec![upload("/a.html", b"last")]).await.unwrap();
    world.assert_sound().await;
}

fn claiming(path: &str, claimed: &[u8], bytes: &'static [u8], content_type: &str) -> Upload {
    Upload {
        key: key_of(path, claimed),
        bytes: bytes.into(),
        content_type: content_type.into(),
        key_hasher: KeyHasher::of_bytes(bytes),
    }
}

fn naming(world_project: &offprint_store::ProjectScope, path: &str, claimed: &[u8]) -> NewDeployment {
    let mut new = new_deployment(world_project, "main", &[]);
    new.assets.push((AssetPath::parse(path).unwrap(), key_of(path, claimed)));
    new
}

#[tokio::test]
async fn a_key_that_lies_about_its_bytes_is_refused_and_forgotten() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let lie = claiming("/a.html", b"claimed", b"sent", "text/html");
    world.store.put_assets(&world.account, vec![lie]).await.unwrap();
    let refused = world.store.create_deployment(&project, naming(&project, "/a.html", b"claimed")).await;
    match refused.map(drop) {
        Err(StoreError::KeyMismatch { first, total: 1 }) => assert_eq!(first[0].as_str(), "/a.html"),
        other => panic!("{other:?}"),
    }
    // The client finds it missing and may send the right bytes.
    let key = key_of("/a.html", b"claimed");
    assert_eq!(world.store.missing_keys(&world.account, std::slice::from_ref(&key)).await.unwrap(), [key]);
    let deployment = world.deploy(&project, "main", &[("/a.html", "claimed")]).await;
    assert!(deployment.stages.is_success());
}

#[tokio::test]
async fn a_right_key_is_not_replaced_by_a_wrong_one() {
    let world = World::new().await;
    let project = world.project("demo").await;
    world.store.put_assets(&world.account, vec![upload("/a.html", b"right")]).await.unwrap();
    let lie = claiming("/a.html", b"right", b"wrong", "text/html");
    world.store.put_assets(&world.account, vec![lie]).await.unwrap();
    let deployment = world.deploy(&project, "main", &[("/a.html", "right")]).await;
    assert!(deployment.stages.is_success());
}

#[tokio::test]
async fn an_extension_that_the_type_does_not_tell_is_found_from_the_bytes() {
    let world = World::new().await;
    let project = world.project("demo").await;
    for path in ["/A.HTML", "/b.unknown-extension", "/c.html"] {
        let odd = claiming(path, b"bytes", b"bytes", "x/odd");
        world.store.put_assets(&world.account, vec![odd]).await.unwrap();
        world.store.create_deployment(&project, naming(&project, path, b"bytes")).await.unwrap();
    }
    let wrong_path = NewDeployment {
        assets: vec![(AssetPath::parse("/c.css").unwrap(), key_of("/c.html", b"bytes"))],
        ..naming(&project, "/c.html", b"bytes")
    };
    let refused = world.store.create_deployment(&project, wrong_path).await;
    assert!(matches!(refused, Err(StoreError::KeyMismatch { total: 1, .. })));
    assert!(
        world.store.missing_keys(&world.account, &[key_of("/c.html", b"bytes")]).await.unwrap().is_empty()
    );
}

#[tokio::test]
async fn foreign_keys_are_admitted_when_the_operator_says_so() {
    let world = World::with(|options| options.admit_foreign_keys = true).await;
    let project = world.project("demo").await;
    let foreign = claiming("/a.html", b"claimed", b"sent", "text/html");
    world.store.put_assets(&world.account, vec![foreign]).await.unwrap();
    world.store.create_deployment(&project, naming(&project, "/a.html", b"claimed")).await.unwrap();
    world.run_jobs().await;
    world.assert_sound().await;
}

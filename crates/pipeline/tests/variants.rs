//! Compressed variants are made in the background: once per blob, after deployments, and on after a restart.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../store/tests/support/mod.rs"]
mod support;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use offprint_model::asset::{AssetPath, BlobHash};
use offprint_model::encoding::{Encoding, EncodingSet};
use offprint_pipeline::{Pipeline, PipelineOptions};
use offprint_store::compress::{Effort, compress, decompress};
use offprint_store::{NewDeployment, ProjectScope, Wake};

use support::{World, key_of, new_deployment, upload};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

async fn start(world: &World, wake: &Wake, variants: bool) -> Pipeline {
    let options = PipelineOptions { variants, idle: Duration::from_millis(20), ..PipelineOptions::default() };
    Pipeline::start(world.store.clone(), wake.clone(), options).await.unwrap()
}

/// Waits until something holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what}");
}

/// Deploys by way of the pipeline.
async fn deploy(world: &World, wake: &Wake, project: &ProjectScope, files: &[(&str, &str)]) {
    let made = world.create(project, "main", files).await;
    wake.pipeline();
    until("it goes live", async || world.live(project).await.as_ref() == Some(&made.id)).await;
}

async fn all_made(world: &World) {
    until("all sites are looked at", async || world.store.variant_work().await.unwrap().is_none()).await;
}

fn pack_file(world: &World, content: &[u8]) -> PathBuf {
    let hex = BlobHash::of(content).to_hex();
    world.dir.path().join("blobs").join(&hex[..2]).join(hex + ".variants")
}

/// Tells a file from one that was written again.
fn identity(world: &World, content: &[u8]) -> (u64, i64, i64) {
    let metadata = std::fs::metadata(pack_file(world, content)).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}

async fn encodings(world: &World, content: &[u8]) -> Option<EncodingSet> {
    let found = world.store.blobs().variants(&BlobHash::of(content)).await.unwrap();
    found.map(|variants| variants.encodings())
}

fn page(n: usize) -> String {
    format!("<p>{}</p>", format!("{n} green bottles hanging on the wall, ").repeat(40))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_variant_gives_the_bytes_of_its_blob() {
    let world = World::new().await;
    let wake = Wake::default();
    let project = world.project("demo").await;
    let pipeline = start(&world, &wake, true).await;
    let (page, picture, short) = (page(1), page(2), "short");
    let files = [("/index.html", &*page), ("/picture.png", &picture), ("/short.css", short)];
    deploy(&world, &wake, &project, &files).await;
    all_made(&world).await;
    assert_eq!(encodings(&world, page.as_bytes()).await, Some(EncodingSet::ALL));
    for encoding in Encoding::ALL {
        let blob = BlobHash::of(page.as_bytes());
        let variant = world.store.blobs().read_variant(&blob, encoding).await.unwrap();
        assert!(variant == compress(page.as_bytes(), encoding, Effort::Best).unwrap());
        assert!(variant.len() < page.len() / 2);
        assert_eq!(decompress(&variant, encoding, page.len()).unwrap(), page.as_bytes());
    }
    assert_eq!(encodings(&world, picture.as_bytes()).await, None, "its type is not compressed");
    assert_eq!(encodings(&world, short.as_bytes()).await, None, "too short");
    pipeline.shutdown().await;
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_compressed_once() {
    let world = World::new().await;
    let wake = Wake::default();
    let project = world.project("demo").await;
    let pipeline = start(&world, &wake, true).await;
    let (shared, new) = (page(1), page(2));
    deploy(&world, &wake, &project, &[("/index.html", &shared)]).await;
    all_made(&world).await;
    let before = identity(&world, shared.as_bytes());
    deploy(&world, &wake, &project, &[("/index.html", &shared), ("/new.html", &new)]).await;
    deploy(&world, &wake, &project, &[("/index.html", &shared)]).await;
    all_made(&world).await;
    assert_eq!(encodings(&world, new.as_bytes()).await, Some(EncodingSet::ALL));
    assert_eq!(identity(&world, shared.as_bytes()), before);
    pipeline.shutdown().await;
    let world = world.reopen().await;
    assert_eq!(encodings(&world, shared.as_bytes()).await, Some(EncodingSet::ALL));
    assert_eq!(identity(&world, shared.as_bytes()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compressed_is_tried_once() {
    let world = World::new().await;
    let wake = Wake::default();
    let project = world.project("demo").await;
    let pipeline = start(&world, &wake, true).await;
    let noise: Vec<u8> = (0u64..200).flat_map(|n| *BlobHash::of(&n.to_le_bytes()).as_bytes()).collect();
    let deploy_with = async |path: &str| {
        let uploads = [("/noise.txt", &noise[..]), (path, b"small")];
        let assets = uploads.map(|(path, bytes)| (AssetPath::parse(path).unwrap(), key_of(path, bytes)));
        let uploads = uploads.iter().map(|(path, bytes)| upload(path, bytes)).collect();
        world.store.put_assets(&world.account, uploads).await.unwrap();
        let new = NewDeployment { assets: assets.to_vec(), ..new_deployment(&project, "main", &[]) };
        let made = world.store.create_deployment(&project, new).await.unwrap();
        wake.pipeline();
        until("it goes live", async || world.live(&project).await.as_ref() == Some(&made.id)).await;
        all_made(&world).await;
    };
    deploy_with("/a.html").await;
    assert_eq!(encodings(&world, &noise).await, Some(EncodingSet::EMPTY));
    let before = identity(&world, &noise);
    deploy_with("/b.html").await;
    assert_eq!(identity(&world, &noise), before);
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_goes_on_where_it_was() {
    let world = World::new().await;
    let wake = Wake::default();
    let project = world.project("demo").await;
    let pages: Vec<(String, String)> = (0..400).map(|n| (format!("/{n}.html"), page(n))).collect();
    let files: Vec<(&str, &str)> = pages.iter().map(|(path, text)| (&**path, &**text)).collect();
    let is_made = |text: &str| pack_file(&world, text.as_bytes()).exists();
    let made = || pages.iter().filter(|(_, text)| is_made(text)).count();

    let pipeline = start(&world, &wake, true).await;
    deploy(&world, &wake, &project, &files).await;
    until("some are made", async || made() > 0).await;
    pipeline.shutdown().await;
    assert!(made() < pages.len(), "it was too fast to be interrupted");
    assert!(world.store.variant_work().await.unwrap().is_some());
    let (_, done) = pages.iter().find(|(_, text)| is_made(text)).unwrap();
    let before = identity(&world, done.as_bytes());

    let pipeline = start(&world, &wake, true).await;
    all_made(&world).await;
    assert_eq!(made(), pages.len());
    assert_eq!(identity(&world, done.as_bytes()), before, "what was done is not done again");
    pipeline.shutdown().await;
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_first() {
    let world = World::new().await;
    let wake = Wake::default();
    let project = world.project("demo").await;
    let page = page(1);
    world.deploy(&project, "main", &[("/index.html", &page)]).await;
    // Another process works on a deployment: its lease stands.
    let _sole = world.store.take_over_jobs().await.unwrap();
    let other = world.create(&project, "main", &[("/index.html", "other")]).await;
    let lease = world.claim(&other.id).await;
    let pipeline = start(&world, &wake, true).await;
    deploy(&world, &wake, &world.project("elsewhere").await, &[("/index.html", "third")]).await;
    assert_eq!(encodings(&world, page.as_bytes()).await, None);
    support::run(&world.store, &lease).await.unwrap();
    wake.edge();
    all_made(&world).await;
    assert_eq!(encodings(&world, page.as_bytes()).await, Some(EncodingSet::ALL));
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_made_while_it_was_off_is_made_once_it_is_on() {
    let world = World::new().await;
    let wake = Wake::default();
    let project = world.project("demo").await;
    let page = page(1);
    let pipeline = start(&world, &wake, false).await;
    deploy(&world, &wake, &project, &[("/index.html", &page)]).await;
    pipeline.shutdown().await;
    assert_eq!(encodings(&world, page.as_bytes()).await, None);
    let pipeline = start(&world, &wake, true).await;
    all_made(&world).await;
    assert_eq!(encodings(&world, page.as_bytes()).await, Some(EncodingSet::ALL));
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_cannot_be_read_holds_nothing_else_up() {
    let world = World::new().await;
    let wake = Wake::default();
    let project = world.project("demo").await;
    let (lost, next, later) = (page(1), page(2), page(3));
    world.deploy(&project, "main", &[("/a.html", &lost), ("/b.html", &next)]).await;
    world.deploy(&project, "main", &[("/a.html", &later)]).await;
    let blob = pack_file(&world, lost.as_bytes()).with_extension("");
    let aside = world.dir.path().join("aside");
    std::fs::rename(&blob, &aside).unwrap();
    let pipeline = start(&world, &wake, true).await;
    all_made(&world).await;
    assert_eq!(encodings(&world, next.as_bytes()).await, Some(EncodingSet::ALL));
    assert_eq!(encodings(&world, later.as_bytes()).await, Some(EncodingSet::ALL));
    assert_eq!(encodings(&world, lost.as_bytes()).await, None);

    // It is there again, and its site is deployed again: that ends its rest.
    std::fs::rename(&aside, &blob).unwrap();
    deploy(&world, &wake, &project, &[("/a.html", &lost), ("/b.html", &next)]).await;
    let made = async || encodings(&world, lost.as_bytes()).await == Some(EncodingSet::ALL);
    until("it is made", made).await;
    pipeline.shutdown().await;
}

//! Stores that earlier versions of the schema made still open, and mean the same.

use std::path::{Path, PathBuf};

use offprint_model::config::Patch;
use offprint_model::id::DeploymentId;
use offprint_model::secret::Secret;
use offprint_model::source::SourceKind;
use offprint_store::{Page, SourceCredentialsPatch, Store, StoreOptions};
use sea_orm::{ConnectionTrait, Database};

use crate::support::{World, branch, make_variants, scope_of};

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/store-v{version}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[tokio::test]
#[ignore = "makes the fixture of the newest version; run once for each, before the next migration lands"]
async fn make_the_fixture() {
    let world = World::new().await;
    let project = world.project("demo").await;
    world.deploy(&project, "main", &[("/index.html", "first"), ("/shared.css", "shared")]).await;
    world.deploy(&project, "main", &[("/index.html", "second"), ("/shared.css", "shared")]).await;
    world.deploy(&project, "feature", &[("/index.html", "preview")]).await;
    let gone = world.deploy(&project, "gone", &[("/index.html", "gone")]).await;
    world.store.delete_deployment(&project, &gone.id, true).await.unwrap();
    world.create(&project, "main", &[("/index.html", "third")]).await;
    let World { dir, store, .. } = world;
    drop(store);
    let target = fixture(1);
    std::fs::create_dir_all(&target).unwrap();
    std::fs::copy(dir.path().join("secret.key"), target.join("secret.key")).unwrap();
    for first in 0..=u8::MAX {
        let shelf = dir.path().join("blobs").join(format!("{first:02x}"));
        if std::fs::read_dir(&shelf).unwrap().next().is_some() {
            copy(&shelf, &target.join("blobs").join(format!("{first:02x}")));
        }
    }
    // Small pages: a fixture of empty pages would be ten times as large.
    let db = format!("sqlite://{}", dir.path().join("offprint.db").display());
    let db = Database::connect(db).await.unwrap();
    let into = target.join("offprint.db");
    let script = format!("PRAGMA page_size = 512; VACUUM INTO '{}'", into.display());
    db.execute_unprepared(&script).await.unwrap();
}

/// The store of version 1, as it would be opened by this program.
async fn version_1() -> World {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture(1), dir.path());
    opened(dir).await
}

async fn opened(dir: tempfile::TempDir) -> World {
    let store = Store::open(StoreOptions::new(dir.path())).await.unwrap();
    let account = scope_of(&store, "0123456789abcdef0123456789abcdef", "secret").await.unwrap();
    World { dir, database: None, store, account }
}

#[tokio::test]
async fn a_store_of_version_1_means_the_same_and_goes_on() {
    let world = version_1().await;
    world.assert_sound().await;
    let (project, read) = world.lookup("demo").await;
    let page = Page { page: 1, per_page: 10 };
    let listed = world.store.list_deployments(&project, None, page).await.unwrap().items;
    let ids: Vec<DeploymentId> = listed.into_iter().map(|found| found.id).collect();
    let [third, preview, second, first] = &ids[..] else { panic!("{ids:?}") };
    assert_eq!((read.canonical.as_ref(), read.latest.as_ref()), (Some(second), Some(third)));
    let routes = async || world.store.routing_since(0).await.unwrap().projects.remove(0).1.unwrap();
    let before = routes().await;
    assert_eq!((before.branches.len(), before.deployments.len()), (1, 4), "the third waits");
    assert!(before.predecessors.is_empty(), "nobody wrote them down");

    // The deployment that waited goes live, and its predecessor is known.
    world.run_jobs().await;
    assert_eq!(world.live(&project).await.as_ref(), Some(third));
    let after = routes().await;
    let known: Vec<_> = after.predecessors.iter().map(|old| old.deployment.to_string()).collect();
    assert_eq!(known, [second.short()]);
    assert_eq!(Some(after.predecessors[0].site), before.production.map(|live| live.site));
    world.store.rollback(&project, first).await.unwrap();
    assert_eq!(world.store.deployment(&project, preview).await.unwrap().aliases.len(), 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_store_of_version_1_gets_its_variants() {
    let world = version_1().await;
    let mut looked_at = 0;
    while make_variants(&world.store).await.unwrap() {
        looked_at += 1;
    }
    assert_eq!(looked_at, 3, "what was served: neither the one that waits nor the deleted one");
    world.assert_sound().await;
}

/// What an earlier version has written for a repository of GitHub.
const SOURCE_BEFORE_BUILDS: &str = r#"{"v":1,"kind":"github","owner":"octo","owner_id":"1","repo_name":"site",
    "repo_id":"2","production_branch":"main","pr_comments_enabled":true,"deployments_enabled":true,
    "production_deployments_enabled":true,"preview_deployment_setting":"all","preview_branch_includes":["*"],
    "preview_branch_excludes":[],"path_includes":["*"],"path_excludes":[]}"#;

#[tokio::test]
async fn a_project_with_a_repository_from_before_builds_can_build() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture(1), dir.path());
    let db =
        Database::connect(format!("sqlite://{}", dir.path().join("offprint.db").display())).await.unwrap();
    db.execute_unprepared(&format!("UPDATE project SET source = '{SOURCE_BEFORE_BUILDS}'")).await.unwrap();
    db.close().await.unwrap();
    let world = opened(dir).await;
    let (project, read) = world.lookup("demo").await;
    let source = read.source.unwrap();
    assert_eq!((source.kind, source.owner.as_str()), (SourceKind::Github, "octo"));
    assert!(source.clone_url.is_none() && !source.submodules && !source.lfs && !source.poll);
    assert!(world.store.polled_projects(offprint_store::Clock::now()).await.unwrap().is_empty());

    // Nobody has made a secret yet, so no webhook is believed until somebody does.
    assert!(world.store.webhook_target(project.project_id()).await.unwrap().secret.is_none());
    let webhook_secret = Patch::Set(Secret::new("secret".to_owned()));
    let patch = SourceCredentialsPatch { webhook_secret, ..SourceCredentialsPatch::default() };
    world.store.change_source_credentials(&project, patch).await.unwrap();
    world.store.create_deploy_hook(&project, "hook", &branch("main")).await.unwrap();

    // What waited as an upload is still one, and a build comes after it.
    let made = world.push(&project, "main", "1").await;
    world.run_jobs().await;
    assert_ne!(world.live(&project).await, Some(made.id.clone()));
    let lease = world.claim_build().await.unwrap();
    world.build(&lease, &[("/index.html", "built")]).await.unwrap();
    assert_eq!(world.live(&project).await, Some(made.id));
    world.assert_sound().await;
}

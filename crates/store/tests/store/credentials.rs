//! The secrets of sources: sealed, changed one by one, gone with the source.

use offprint_model::config::Patch;
use offprint_model::project::ProjectPatch;
use offprint_model::secret::Secret;
use offprint_store::{Entity, SourceCredentialsPatch, StoreError};

use crate::support::{World, branch};

fn set(value: &str) -> Patch<Secret<String>> {
    Patch::Set(Secret::new(value.to_owned()))
}

fn text(secret: Option<Secret<String>>) -> Option<String> {
    secret.map(|secret| secret.expose().clone())
}

#[tokio::test]
async fn a_project_with_a_source_has_a_secret_for_webhooks_at_once() {
    let world = World::new().await;
    let (a, b) = (world.git_project("a").await, world.git_project("b").await);
    let secret = async |scope| text(world.store.source_credentials(scope).await.unwrap().webhook_secret);
    let (of_a, of_b) = (secret(&a).await.unwrap(), secret(&b).await.unwrap());
    assert!(of_a.len() == 40 && of_a != of_b);
    let target = world.store.webhook_target(a.project_id()).await.unwrap();
    assert_eq!((target.project.name.as_str(), text(target.secret)), ("a", Some(of_a)));
    assert_eq!(target.scope.account(), a.account());
    let upload = world.project("upload").await;
    assert!(world.store.webhook_target(upload.project_id()).await.unwrap().secret.is_none());
    let unknown = offprint_model::id::ProjectId::new("unknown");
    assert!(matches!(
        world.store.webhook_target(&unknown).await.map(drop),
        Err(StoreError::NotFound(Entity::Project))
    ));
}

#[tokio::test]
async fn credentials_change_one_by_one() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let change = async |patch| world.store.change_source_credentials(&project, patch).await.unwrap();
    change(SourceCredentialsPatch { token: set("t"), ssh_key: set("k"), ..Default::default() }).await;
    change(SourceCredentialsPatch { known_hosts: set("h"), token: set("u"), ..Default::default() }).await;
    change(SourceCredentialsPatch { webhook_secret: Patch::Clear, ..Default::default() }).await;
    let world = world.reopen().await;
    let read = world.store.source_credentials(&project).await.unwrap();
    assert_eq!(text(read.webhook_secret), None);
    assert_eq!((text(read.token), text(read.ssh_key)), (Some("u".into()), Some("k".into())));
    assert_eq!(text(read.known_hosts), Some("h".into()));
    world.push(&project, "main", "1").await;
    let lease = world.claim_build().await.unwrap();
    let given = world.store.work(&lease).await.unwrap().credentials.unwrap();
    assert!(given.webhook_secret.is_none() && text(given.token) == Some("u".into()));
    let upload = world.project("upload").await;
    let refused = world.store.change_source_credentials(&upload, Default::default()).await;
    assert!(matches!(refused, Err(StoreError::NoSource)));
}

#[tokio::test]
async fn a_source_that_is_taken_away_takes_its_secrets_along() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    world.store.create_deploy_hook(&project, "hook", &branch("main")).await.unwrap();
    let patch = ProjectPatch { source: Patch::Clear, ..ProjectPatch::default() };
    world.store.update_project(&project, patch).await.unwrap();
    assert!(world.store.source_credentials(&project).await.unwrap().webhook_secret.is_none());
    assert!(world.store.list_deploy_hooks(&project).await.unwrap().is_empty());
    world.assert_sound().await;
}

/// Neither in the database nor in its log, whatever was made of it.
#[tokio::test]
async fn no_secret_is_on_the_disk_in_clear() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let all = SourceCredentialsPatch {
        webhook_secret: set("hush-webhook-secret"),
        token: set("hush-token"),
        ssh_key: set("hush-ssh-key"),
        known_hosts: set("hush-known-hosts"),
    };
    world.store.change_source_credentials(&project, all).await.unwrap();
    let hook = world.store.create_deploy_hook(&project, "hook", &branch("main")).await.unwrap();
    world.push(&project, "main", "1").await;
    let lease = world.claim_build().await.unwrap();
    world.build(&lease, &[("/a.html", "a")]).await.unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for secret in ["hush", &hook.id, &hook.id.replace('-', "")] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds {secret}", path.display());
            }
        }
    }
    assert!(files >= 3, "the database, its log and the key");
}

//! Deployments: wholly made or not at all, snapshots, lists, deletion.

use std::collections::BTreeMap;

use offprint_model::asset::AssetPath;
use offprint_model::config::{EnvVar, EnvVarPatch, Environment, EnvironmentPatch, Patch};
use offprint_model::deployment::Alias;
use offprint_model::name::Hostname;
use offprint_model::project::{DomainStatus, ProjectPatch};
use offprint_model::secret::Secret;
use offprint_model::stages::{StageName, StageStatus};
use offprint_store::{Entity, NewDeployment, Page, StoreError, UploadedConfiguration, WorkerKind};

use crate::support::{TTL, World, key_of, new_deployment, run, upload};

const PAGE: Page = Page { page: 1, per_page: 25 };

#[tokio::test]
async fn a_deployment_is_queued_then_live_and_stays_so_after_a_restart() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let made = world.create(&project, "main", &[("/index.html", "hello"), ("/a.css", "x")]).await;
    assert_eq!(made.stages.get(StageName::Queued).status, StageStatus::Active);
    assert_eq!(made.stages.get(StageName::Queued).started, Some(made.created));
    assert!(made.aliases.is_empty() && made.environment == Environment::Production && !made.uses_functions);
    assert_eq!(world.live(&project).await, None);
    world.run_jobs().await;

    let world = world.reopen().await;
    let (project, read) = world.lookup("demo").await;
    assert_eq!((read.canonical.as_ref(), read.latest.as_ref()), (Some(&made.id), Some(&made.id)));
    let live = world.store.deployment(&project, &made.id).await.unwrap();
    assert!(live.stages.is_success() && live.modified > live.created);
    assert_eq!(live.aliases, [Alias::Production]);
    assert_eq!(world.store.logs(&project, &made.id).await.unwrap()[0].text, "Deploying");
    let found = world.store.deployments_by_id(&[made.id.clone(), made.id.clone()]).await.unwrap();
    assert!(found.len() == 1 && found[&made.id].aliases == [Alias::Production]);
    world.assert_sound().await;
}

#[tokio::test]
async fn missing_assets_are_named_and_nothing_is_made() {
    let world = World::new().await;
    let project = world.project("demo").await;
    world.store.put_assets(&world.account, vec![upload("/a.html", b"a")]).await.unwrap();
    let files: Vec<(String, String)> = (0..12).map(|n| (format!("/m{n}.html"), format!("{n}"))).collect();
    let mut files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push(("/a.html", "a"));
    let refused = world.store.create_deployment(&project, new_deployment(&project, "main", &files)).await;
    match refused.map(drop) {
        Err(StoreError::MissingAssets { first, total: 12 }) => {
            assert_eq!((first.len(), first[0].as_str()), (10, "/m0.html"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.store.list_deployments(&project, None, PAGE).await.unwrap().total, 0);
    assert!(world.store.claim_upload("test", TTL).await.unwrap().is_none());
}

#[tokio::test]
async fn a_path_is_named_once() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let mut new = world.upload(&project, "main", &[("/a.html", "a")]).await.unwrap();
    new.assets.push((AssetPath::parse("a.html").unwrap(), key_of("/a.html", b"a")));
    let refused = world.store.create_deployment(&project, new).await;
    assert!(matches!(refused, Err(StoreError::DuplicatePath(path)) if path.as_str() == "/a.html"));
}

#[tokio::test]
async fn an_empty_site_with_everything_else_comes_back() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let new = NewDeployment {
        headers: Some("/*\n  X: y\n".into()),
        redirects: Some("/a /b".into()),
        routes: Some("{}".into()),
        worker: Some((WorkerKind::Script, "export default {}".into())),
        functions_routing: Some("{}".into()),
        ..new_deployment(&project, "main", &[])
    };
    let made = world.store.create_deployment(&project, new).await.unwrap();
    assert!(made.uses_functions);
    let lease = world.claim(&made.id).await;
    let work = world.store.work(&lease).await.unwrap();
    let (site, document) = work.content.unwrap();
    assert_eq!(document.headers.as_deref(), Some("/*\n  X: y\n"));
    assert_eq!(document.redirects.as_deref(), Some("/a /b"));
    let worker = document.worker.unwrap();
    assert_eq!(worker.kind, WorkerKind::Script);
    assert_eq!(world.store.blobs().read(&worker.blob).await.unwrap(), "export default {}");
    let routing = document.functions_routing.unwrap();
    assert_eq!(world.store.blobs().read(&routing).await.unwrap(), "{}");
    assert_eq!(world.store.load_site(&site).await.unwrap(), document);
    run(&world.store, &lease).await.unwrap();
    world.assert_sound().await;
}

fn variable(name: &str, value: &str) -> EnvironmentPatch {
    let patch = EnvVarPatch { secret: Some(true), value: Some(Secret::new(value.into())) };
    let env_vars = Patch::Set(BTreeMap::from([(name.to_owned(), Some(patch))]));
    EnvironmentPatch { env_vars, ..EnvironmentPatch::default() }
}

#[tokio::test]
async fn settings_are_kept_as_they_were() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let set = |value| ProjectPatch { production: variable("S", value), ..ProjectPatch::default() };
    world.store.update_project(&project, set("old")).await.unwrap();
    let first = world.deploy(&project, "main", &[("/a.html", "a")]).await;
    world.store.update_project(&project, set("new")).await.unwrap();
    let secret = |value: &str| EnvVar::Secret(Secret::new(value.to_owned()));
    let read = world.store.deployment(&project, &first.id).await.unwrap();
    assert!(read.config.env_vars["S"] == secret("old"));
    let retried = world.store.retry_deployment(&project, &first.id).await.unwrap();
    assert!(retried.config.env_vars["S"] == secret("old") && retried.id != first.id);
    let next = world.deploy(&project, "main", &[("/a.html", "a")]).await;
    assert!(next.config.env_vars["S"] == secret("new"));
}

#[tokio::test]
async fn an_uploaded_configuration_becomes_the_projects() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let set = ProjectPatch { production: variable("S", "kept"), ..ProjectPatch::default() };
    world.store.update_project(&project, set).await.unwrap();
    let patch = EnvironmentPatch { compatibility_date: Some("2025-01-01".into()), ..Default::default() };
    let configuration =
        UploadedConfiguration { hash: "abc".into(), destination_dir: Some("dist".into()), patch };
    let mut new = world.upload(&project, "main", &[("/a.html", "a")]).await.unwrap();
    new.configuration = Some(configuration);
    let made = world.store.create_deployment(&project, new.clone()).await.unwrap();
    assert_eq!(made.config.compatibility_date, "2025-01-01");
    assert_eq!(made.config.wrangler_config_hash.as_deref(), Some("abc"));
    assert_eq!(made.build_config.destination_dir.as_deref(), Some("dist"));
    let (_, read) = world.lookup("demo").await;
    assert!(read.production == made.config && read.production.env_vars.contains_key("S"));
    assert_ne!(read.preview.compatibility_date, "2025-01-01");
    new.assets.push((AssetPath::parse("/x.html").unwrap(), key_of("/x.html", b"missing")));
    new.configuration = Some(UploadedConfiguration { hash: "def".into(), ..Default::default() });
    assert!(world.store.create_deployment(&project, new).await.is_err());
    let (_, read) = world.lookup("demo").await;
    assert_eq!(read.production.wrangler_config_hash.as_deref(), Some("abc"));
}

#[tokio::test]
async fn an_unchanged_redeployment_writes_no_pins() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let files = [("/a.html", "a"), ("/b.html", "b")];
    world.deploy(&project, "main", &files).await;
    world.deploy(&project, "main", &files).await;
    world.deploy(&project, "preview", &files).await;
    let routes = world.store.routing_since(0).await.unwrap().projects.remove(0).1.unwrap();
    let mut sites: Vec<_> = routes.deployments.iter().map(|(_, site)| site.unwrap()).collect();
    sites.dedup();
    assert_eq!((routes.deployments.len(), sites.len()), (3, 1));
    world.assert_sound().await;
}

#[tokio::test]
async fn lists_are_by_environment_and_newest_first() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let mut made = Vec::new();
    for branch in ["main", "x", "main", "y"] {
        made.push(world.create(&project, branch, &[("/a.html", branch)]).await.id);
    }
    made.reverse();
    let list = async |environment, page, per_page| {
        let listed =
            world.store.list_deployments(&project, environment, Page { page, per_page }).await.unwrap();
        (listed.items.into_iter().map(|found| found.id).collect::<Vec<_>>(), listed.total)
    };
    assert_eq!(list(None, 1, 10).await, (made.clone(), 4));
    assert_eq!(list(None, 2, 3).await, (made[3..].to_vec(), 4));
    assert_eq!(list(None, 9, 3).await, (vec![], 4));
    let production = vec![made[1].clone(), made[3].clone()];
    assert_eq!(list(Some(Environment::Production), 1, 10).await, (production, 2));
    let preview = vec![made[0].clone(), made[2].clone()];
    assert_eq!(list(Some(Environment::Preview), 1, 10).await, (preview, 2));
}

#[tokio::test]
async fn what_is_served_is_not_deleted_by_accident() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let old = world.deploy(&project, "main", &[("/a.html", "old")]).await;
    let live = world.deploy(&project, "main", &[("/a.html", "live")]).await;
    let first = world.deploy(&project, "Feat/X", &[("/a.html", "first")]).await;
    let second = world.deploy(&project, "feat-x", &[("/a.html", "second")]).await;
    let delete = |id: &offprint_model::id::DeploymentId, force| {
        let (store, project, id) = (world.store.clone(), project.clone(), id.clone());
        async move { store.delete_deployment(&project, &id, force).await }
    };
    assert!(matches!(delete(&live.id, true).await, Err(StoreError::DeploymentIsLive)));
    assert!(matches!(delete(&second.id, false).await, Err(StoreError::DeploymentIsAliased)));
    delete(&first.id, false).await.unwrap();
    delete(&second.id, true).await.unwrap();
    delete(&old.id, false).await.unwrap();
    assert!(matches!(delete(&old.id, false).await, Err(StoreError::NotFound(Entity::Deployment))));
    let gone = world.store.deployment(&project, &old.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound(Entity::Deployment))));
    assert!(world.store.logs(&project, &old.id).await.is_err());
    assert!(world.store.retry_deployment(&project, &old.id).await.is_err());
    assert!(world.store.rollback(&project, &old.id).await.is_err());
    assert_eq!(world.lookup("demo").await.1.latest, Some(live.id));
    let routes = world.store.routing_since(0).await.unwrap().projects.remove(0).1.unwrap();
    assert!(routes.branches.is_empty() && routes.production.is_some());
    assert_eq!(routes.deployments.iter().filter(|(_, site)| site.is_none()).count(), 3);
    assert_eq!(routes.deployments.len(), 4);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_deployment_of_another_project_is_not_found() {
    let world = World::new().await;
    let (a, b) = (world.project("a").await, world.project("b").await);
    let made = world.deploy(&a, "main", &[("/a.html", "a")]).await;
    let found = world.store.deployment(&b, &made.id).await;
    assert!(matches!(found, Err(StoreError::NotFound(Entity::Deployment))));
    assert!(world.store.delete_deployment(&b, &made.id, true).await.is_err());
    assert!(world.store.rollback(&b, &made.id).await.is_err());
}

#[tokio::test]
async fn aliases_are_those_of_now() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let host = Hostname::parse("www.example.com").unwrap();
    world.store.add_domain(&project, &host).await.unwrap();
    let live = world.deploy(&project, "main", &[("/a.html", "a")]).await;
    assert_eq!(live.aliases, [Alias::Production]);
    world.store.set_domain_status(&project, &host, DomainStatus::Active, None).await.unwrap();
    let read = world.store.deployment(&project, &live.id).await.unwrap();
    assert_eq!(read.aliases, [Alias::Production, Alias::Domain(host)]);
    let preview = world.deploy(&project, "feat/x", &[("/a.html", "a")]).await;
    assert!(matches!(&preview.aliases[..], [Alias::Branch(label)] if label.as_str() == "feat-x"));
    let nameless = world.deploy(&project, "ö", &[("/a.html", "a")]).await;
    let again = world.deploy(&project, "ö", &[("/a.html", "b")]).await;
    assert!(matches!(&again.aliases[..], [Alias::Branch(label)] if label.as_str().len() == 17));
    assert_eq!(nameless.aliases, again.aliases, "the random label of a branch stays");
}

//! Projects: names, settings, lists, deletion.

use std::collections::BTreeMap;

use offprint_model::config::{BuildConfigPatch, EnvVar, EnvVarPatch, EnvironmentPatch, Patch};
use offprint_model::name::{Hostname, ProjectName};
use offprint_model::project::{ProjectPatch, SourcePatch};
use offprint_model::secret::Secret;
use offprint_store::{Clock, Entity, NewProject, Page, StoreError};

use crate::support::{World, branch, new_project, scope_of};

fn variable(name: &str, value: &str, secret: bool) -> EnvironmentPatch {
    let patch = EnvVarPatch { secret: Some(secret), value: Some(Secret::new(value.into())) };
    EnvironmentPatch {
        env_vars: Patch::Set(BTreeMap::from([(name.to_owned(), Some(patch))])),
        ..EnvironmentPatch::default()
    }
}

#[tokio::test]
async fn a_new_project_has_the_defaults_and_comes_back_the_same() {
    let world = World::new().await;
    let new = NewProject { production: variable("S", "hush", true), ..new_project("demo") };
    let made = world.store.create_project(&world.account, new).await.unwrap();
    assert_eq!(made.production.compatibility_date, Clock::today());
    assert!(made.script_number > 1_000_000 && made.canonical.is_none() && made.latest.is_none());
    let world = world.reopen().await;
    let (scope, read) = world.lookup("demo").await;
    assert_eq!((scope.project_id(), scope.account()), (&made.id, world.account.account()));
    assert!(read.production == made.production && read.preview == made.preview);
    assert!(read.production.env_vars["S"] == EnvVar::Secret(Secret::new("hush".into())));
    let by_id = world.store.project_by_id(world.account.account(), &made.id).await.unwrap().unwrap();
    assert_eq!(by_id.1.name.as_str(), "demo");
}

#[tokio::test]
async fn a_name_is_one_projects_in_all_accounts() {
    let world = World::new().await;
    world.project("demo").await;
    let again = world.store.create_project(&world.account, new_project("demo")).await;
    assert!(matches!(again, Err(StoreError::Exists(Entity::Project))));
    let other = scope_of(&world.store, &"f".repeat(32), "other").await.unwrap();
    let taken = world.store.create_project(&other, new_project("demo")).await;
    assert!(matches!(taken, Err(StoreError::Exists(Entity::Project))));
    let foreign = world.store.project(&other, &ProjectName::parse("demo").unwrap()).await;
    assert!(matches!(foreign, Err(StoreError::NotFound(Entity::Project))));
}

#[tokio::test]
async fn pages_of_projects_are_newest_first_and_empty_beyond_the_end() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.project(name).await;
    }
    let page = |page, per_page| world.store.list_projects(&world.account, Page { page, per_page });
    let names = |listed: offprint_store::Listed<offprint_model::project::Project>| {
        assert_eq!(listed.total, 3);
        listed.items.iter().map(|project| project.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(page(1, 2).await.unwrap()), ["c", "b"]);
    assert_eq!(names(page(2, 2).await.unwrap()), ["a"]);
    assert!(names(page(3, 2).await.unwrap()).is_empty());
    assert!(names(page(u64::MAX, u64::MAX).await.unwrap()).is_empty());
}

#[tokio::test]
async fn changes_at_once_are_all_merged() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let mut changes = tokio::task::JoinSet::new();
    for n in 0..10 {
        let (store, project) = (world.store.clone(), project.clone());
        changes.spawn(async move {
            let patch = ProjectPatch {
                production: variable(&format!("V{n}"), "x", n % 2 == 0),
                ..ProjectPatch::default()
            };
            store.update_project(&project, patch).await.unwrap()
        });
    }
    changes.join_all().await;
    let (_, read) = world.lookup("demo").await;
    assert_eq!(read.production.env_vars.len(), 10);
}

#[tokio::test]
async fn a_repository_is_not_added_later() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let patch = ProjectPatch {
        source: Patch::Set(SourcePatch::default()),
        build_config: Patch::Set(BuildConfigPatch {
            root_dir: Patch::Set("x".into()),
            ..BuildConfigPatch::default()
        }),
        production_branch: Some(branch("trunk")),
        ..ProjectPatch::default()
    };
    let refused = world.store.update_project(&project, patch).await;
    assert!(matches!(refused, Err(StoreError::SourceFixed(_))));
    let (_, read) = world.lookup("demo").await;
    assert!(read.build_config.root_dir.is_none() && read.production_branch.as_str() == "main");
}

#[tokio::test]
async fn a_project_goes_with_everything_and_its_name_is_free() {
    let world = World::with(|options| options.project_delete_deployments_max = Some(2)).await;
    let project = world.project("demo").await;
    let host = Hostname::parse("www.example.com").unwrap();
    world.store.add_domain(&project, &host).await.unwrap();
    assert!(matches!(world.store.delete_project(&project).await, Err(StoreError::DomainsRemain)));
    world.store.remove_domain(&project, &host).await.unwrap();
    for text in ["one", "two", "three"] {
        world.deploy(&project, "main", &[("/index.html", text)]).await;
    }
    let refused = world.store.delete_project(&project).await;
    assert!(matches!(refused, Err(StoreError::TooManyDeployments { count: 3, max: 2 })));
    let oldest = world.store.list_deployments(&project, None, Page { page: 3, per_page: 1 }).await.unwrap();
    world.store.delete_deployment(&project, &oldest.items[0].id, false).await.unwrap();
    let running = world.create(&project, "x", &[("/index.html", "one")]).await;
    let lease = world.claim(&running.id).await;
    world.store.delete_deployment(&project, &running.id, false).await.unwrap();
    world.store.delete_project(&project).await.unwrap();
    assert!(matches!(world.store.work(&lease).await, Err(StoreError::LeaseLost)));
    assert!(matches!(world.store.delete_project(&project).await, Err(StoreError::NotFound(Entity::Project))));
    let orphan = world.upload(&project, "main", &[("/index.html", "one")]).await.unwrap();
    let refused = world.store.create_deployment(&project, orphan).await;
    assert!(matches!(refused, Err(StoreError::NotFound(Entity::Project))));
    world.assert_sound().await;
    let again = world.project("demo").await;
    assert_ne!(again.project_id(), project.project_id());
    world.deploy(&again, "main", &[("/index.html", "one")]).await;
    world.assert_sound().await;
}

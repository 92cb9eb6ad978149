//! Deploy hooks: unguessable, one a branch, revocable.

use offprint_store::{Entity, StoreError};

use crate::support::{World, branch};

#[tokio::test]
async fn a_hook_builds_its_branch_until_it_is_revoked() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let main = world.store.create_deploy_hook(&project, "every night", &branch("main")).await.unwrap();
    let other = world.store.create_deploy_hook(&project, "other", &branch("feat/x")).await.unwrap();
    assert!(main.id.len() == 36 && main.id != other.id);
    let world = world.reopen().await;
    let listed = world.store.list_deploy_hooks(&project).await.unwrap();
    assert!(listed == [main.clone(), other.clone()]);
    let target = world.store.hook_target(&other.id).await.unwrap();
    assert_eq!((target.project.name.as_str(), target.branch.as_str()), ("demo", "feat/x"));
    assert_eq!(target.scope.project_id(), project.project_id());
    let again = world.store.create_deploy_hook(&project, "again", &branch("main")).await;
    assert!(matches!(again.map(drop), Err(StoreError::Exists(Entity::DeployHook))));

    world.store.delete_deploy_hook(&project, &main.id).await.unwrap();
    for unknown in [main.id.as_str(), "", "00000000-0000-4000-8000-000000000000", &other.id.to_uppercase()] {
        let refused = world.store.hook_target(unknown).await.map(drop);
        assert!(matches!(refused, Err(StoreError::NotFound(Entity::DeployHook))), "{unknown}");
    }
    let twice = world.store.delete_deploy_hook(&project, &main.id).await;
    assert!(matches!(twice, Err(StoreError::NotFound(Entity::DeployHook))));
    let next = world.store.create_deploy_hook(&project, "again", &branch("main")).await.unwrap();
    assert_ne!(next.id, main.id);
    world.assert_sound().await;
}

#[tokio::test]
async fn hooks_belong_to_projects_with_a_repository() {
    let world = World::new().await;
    let (project, upload) = (world.git_project("demo").await, world.project("upload").await);
    let refused = world.store.create_deploy_hook(&upload, "hook", &branch("main")).await;
    assert!(matches!(refused.map(drop), Err(StoreError::NoSource)));
    let hook = world.store.create_deploy_hook(&project, "hook", &branch("main")).await.unwrap();
    let other = world.git_project("other").await;
    let foreign = world.store.delete_deploy_hook(&other, &hook.id).await;
    assert!(matches!(foreign, Err(StoreError::NotFound(Entity::DeployHook))));
    world.store.hook_target(&hook.id).await.unwrap();
}

//! Which deployment is served: the one that was asked for last.

use offprint_model::id::DeploymentId;
use offprint_store::{Page, ProjectScope};

use crate::support::{World, run};

/// The deployment that the host of a preview branch leads to.
async fn alias_of(world: &World, project: &ProjectScope, label: &str) -> Option<DeploymentId> {
    let listed = world.store.list_deployments(project, None, Page { page: 1, per_page: 100 }).await.unwrap();
    let wanted = offprint_model::deployment::Alias::Branch(offprint_model::name::AliasLabel::stored(label));
    listed.items.into_iter().find(|found| found.aliases.contains(&wanted)).map(|found| found.id)
}

#[tokio::test]
async fn a_slow_older_deployment_does_not_replace_a_newer_one() {
    let world = World::new().await;
    let project = world.project("demo").await;
    for branch in ["main", "x"] {
        let old = world.create(&project, branch, &[("/a.html", "old")]).await;
        let new = world.create(&project, branch, &[("/a.html", "new")]).await;
        let slow = world.claim(&old.id).await;
        let quick = world.claim(&new.id).await;
        run(&world.store, &quick).await.unwrap();
        run(&world.store, &slow).await.unwrap();
        // It was successful all the same, and has its own host.
        assert!(world.store.deployment(&project, &old.id).await.unwrap().stages.is_success());
        let served = match branch {
            "main" => world.live(&project).await,
            _ => alias_of(&world, &project, "x").await,
        };
        assert_eq!(served, Some(new.id), "{branch}");
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_rollback_stays_until_the_next_wish() {
    let world = World::new().await;
    let project = world.project("demo").await;
    for branch in ["main", "x"] {
        let served = async || match branch {
            "main" => world.live(&project).await,
            _ => alias_of(&world, &project, "x").await,
        };
        let first = world.deploy(&project, branch, &[("/a.html", "1")]).await;
        let second = world.deploy(&project, branch, &[("/a.html", "2")]).await;
        let under_way = world.create(&project, branch, &[("/a.html", "3")]).await;
        let lease = world.claim(&under_way.id).await;
        let before = world.store.deployment(&project, &first.id).await.unwrap();
        let rolled = world.store.rollback(&project, &first.id).await.unwrap();
        assert_eq!(rolled.aliases.len(), 1);
        assert!(rolled.stages == before.stages && rolled.modified == before.modified);
        assert_eq!(served().await.as_ref(), Some(&first.id));
        run(&world.store, &lease).await.unwrap();
        assert_eq!(served().await.as_ref(), Some(&first.id), "asked for before the rollback");
        world.store.rollback(&project, &second.id).await.unwrap();
        assert_eq!(served().await.as_ref(), Some(&second.id), "forward is a rollback as well");
        world.store.rollback(&project, &second.id).await.unwrap();
        let next = world.deploy(&project, branch, &[("/a.html", "1")]).await;
        assert_eq!(served().await, Some(next.id), "asked for after the rollback");
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_retry_is_a_new_wish() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let first = world.deploy(&project, "main", &[("/a.html", "1")]).await;
    world.deploy(&project, "main", &[("/a.html", "2")]).await;
    let retried = world.store.retry_deployment(&project, &first.id).await.unwrap();
    world.run_jobs().await;
    assert_eq!(world.live(&project).await, Some(retried.id.clone()));
    let routes = world.store.routing_since(0).await.unwrap().projects.remove(0).1.unwrap();
    let site = |id: &DeploymentId| {
        let short = offprint_store::ShortId::parse(id.short()).unwrap();
        routes.deployments.iter().find(|(found, _)| *found == short).unwrap().1
    };
    assert!(site(&first.id).is_some() && site(&first.id) == site(&retried.id));
}

#[tokio::test]
async fn created_times_grow_with_the_order() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(world.create(&project, "main", &[("/a.html", "1")]).await.created);
    }
    assert!(times.is_sorted_by(|a, b| a < b));
}

#[tokio::test(flavor = "multi_thread")]
async fn deploys_rollbacks_and_deletions_at_once_leave_a_sound_store() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let first = world.deploy(&project, "main", &[("/a.html", "0")]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8u32 {
        let (store, project, first) = (world.store.clone(), project.clone(), first.id.clone());
        let branch = if n % 2 == 0 { "main" } else { "x" };
        let new =
            world.upload(&project, branch, &[("/a.html", &n.to_string()), ("/b.html", "b")]).await.unwrap();
        tasks.spawn(async move {
            let made = store.create_deployment(&project, new).await.unwrap();
            while let Some(lease) = store.claim_upload("w", crate::support::TTL).await.unwrap() {
                // Another task may delete the deployment in the middle.
                let _ = run(&store, &lease).await;
            }
            let _ = store.rollback(&project, &first).await;
            if n % 3 == 0 {
                let _ = store.delete_deployment(&project, &made.id, true).await;
            }
            store.collect(std::time::Duration::from_secs(3600)).await.unwrap();
        });
    }
    tasks.join_all().await;
    world.run_jobs().await;
    world.assert_sound().await;
}

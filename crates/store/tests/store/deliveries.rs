//! Webhook calls are heard once.

use offprint_store::{Delivery, Page, ProjectScope, StoreError};

use crate::support::{World, new_build};

fn delivery(id: &str, digest: u8) -> Delivery {
    Delivery { id: id.into(), digest: [digest; 32] }
}

async fn note(world: &World, project: &ProjectScope, delivery: Delivery) -> Result<(), StoreError> {
    world.store.note_pull_request(project, crate::pull_requests::fork(1, "x", "1"), Some(delivery)).await
}

#[tokio::test]
async fn a_call_is_heard_once_under_whatever_name() {
    let world = World::new().await;
    let (project, other) = (world.git_project("demo").await, world.git_project("other").await);
    let build = async |scope, delivery| {
        world.store.create_build(scope, new_build("main", "1"), Some(delivery)).await.map(drop)
    };
    build(&project, delivery("a", 1)).await.unwrap();
    for replay in [delivery("a", 1), delivery("a", 2), delivery("b", 1)] {
        assert!(matches!(build(&project, replay.clone()).await, Err(StoreError::Replayed)), "{replay:?}");
        let noted = note(&world, &project, replay.clone()).await;
        assert!(matches!(noted, Err(StoreError::Replayed)), "{replay:?}");
    }
    note(&world, &project, delivery("b", 2)).await.unwrap();
    build(&other, delivery("a", 1)).await.unwrap();
    build(&project, delivery("c", 3)).await.unwrap();
    let page = Page { page: 1, per_page: 9 };
    assert_eq!(world.store.list_deployments(&project, None, page).await.unwrap().total, 2);
    let world = world.reopen().await;
    let again = note(&world, &project, delivery("c", 9)).await;
    assert!(matches!(again, Err(StoreError::Replayed)), "also after a restart");
}

#[tokio::test]
async fn a_call_that_could_not_be_answered_may_come_again() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let mut new = new_build("main", "1");
    new.untrusted = true;
    let refused = world.store.create_build(&project, new, Some(delivery("a", 1))).await;
    assert!(matches!(refused, Err(StoreError::NotApproved)));
    world.store.create_build(&project, new_build("main", "1"), Some(delivery("a", 1))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_replays_at_once_one_is_heard() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (store, project) = (world.store.clone(), project.clone());
        let call = delivery(&format!("{}", n % 2), 1);
        calls.spawn(
            async move { store.create_build(&project, new_build("main", "1"), Some(call)).await.is_ok() },
        );
    }
    let heard = calls.join_all().await.into_iter().filter(|heard| *heard).count();
    assert_eq!(heard, 1);
}

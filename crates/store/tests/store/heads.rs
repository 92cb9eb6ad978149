//! Polling: whose turn it is, and what was seen last.

use std::collections::HashMap;

use offprint_model::time::Timestamp;
use offprint_store::{Clock, NewProject};

use crate::support::{World, branch, new_project, source};

#[tokio::test]
async fn only_projects_that_are_to_be_polled_are_due() {
    let world = World::new().await;
    world.project("upload").await;
    world.git_project("webhook").await;
    for name in ["first", "second"] {
        let source = Some(offprint_model::project::Source { poll: true, ..source() });
        world.store.create_project(&world.account, NewProject { source, ..new_project(name) }).await.unwrap();
    }
    let due = async |before| {
        let due = world.store.polled_projects(before).await.unwrap();
        due.iter().map(|due| due.project.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(due(Timestamp::from_micros(0)).await, ["first", "second"], "nobody has looked yet");
    let (first, _) = world.lookup("first").await;
    let (second, _) = world.lookup("second").await;
    let start = Clock::now();
    world.store.note_failed_poll(&first).await.unwrap();
    assert!(world.store.heads(&first).await.unwrap().is_none(), "it was not reached");
    world.store.note_heads(&second, &HashMap::new()).await.unwrap();
    assert!(due(start).await.is_empty());
    assert_eq!(due(Timestamp::from_micros(i64::MAX)).await, ["first", "second"]);
    world.store.note_failed_poll(&first).await.unwrap();
    assert_eq!(due(Timestamp::from_micros(i64::MAX)).await, ["second", "first"]);
}

#[tokio::test]
async fn heads_are_those_of_the_last_look() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    assert!(world.store.heads(&project).await.unwrap().is_none());
    for heads in [vec![("main", "1"), ("x", "2")], vec![("x", "3"), ("ö", "4")], vec![]] {
        let heads: HashMap<_, _> =
            heads.into_iter().map(|(name, commit)| (branch(name), commit.to_owned())).collect();
        world.store.note_heads(&project, &heads).await.unwrap();
        assert_eq!(world.store.heads(&project).await.unwrap(), Some(heads));
    }
    world.store.note_failed_poll(&project).await.unwrap();
    assert_eq!(world.store.heads(&project).await.unwrap(), Some(HashMap::new()));
}

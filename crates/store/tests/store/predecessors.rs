//! What an alias led to before.

use offprint_model::deployment::Deployment;
use offprint_store::{Clock, Predecessor, ProjectRoutes, ProjectScope, ShortId};
use sea_orm::ConnectionTrait;

use crate::support::{World, run};

async fn routes(world: &World, project: &ProjectScope) -> ProjectRoutes {
    let all = world.store.routing_since(0).await.unwrap().projects;
    let found = all.into_iter().find(|(name, _)| name == project.project_name());
    found.unwrap().1.unwrap()
}

/// The predecessors of production or a branch, by short id.
async fn predecessors(world: &World, project: &ProjectScope, label: Option<&str>) -> Vec<String> {
    world.assert_sound().await;
    let of = |old: &&Predecessor| old.label.as_ref().map(|label| label.as_str()) == label;
    routes(world, project)
        .await
        .predecessors
        .iter()
        .filter(of)
        .map(|old| old.deployment.to_string())
        .collect()
}

fn shorts(deployments: &[&Deployment]) -> Vec<String> {
    deployments.iter().map(|deployment| deployment.id.short().to_owned()).collect()
}

#[tokio::test]
async fn each_alias_remembers_what_it_led_to_and_forgets_it_when_it_returns() {
    let world = World::new().await;
    let project = world.project("demo").await;
    for (branch, label) in [("main", None), ("feat/x", Some("feat-x"))] {
        let a = world.deploy(&project, branch, &[("/a.html", "a")]).await;
        assert!(predecessors(&world, &project, label).await.is_empty());
        let before = Clock::now();
        let b = world.deploy(&project, branch, &[("/a.html", "b")]).await;
        let c = world.deploy(&project, branch, &[("/a.html", "c")]).await;
        assert_eq!(predecessors(&world, &project, label).await, shorts(&[&b, &a]), "the newest first");
        let now = routes(&world, &project).await;
        for (old, text) in [(&a, "a"), (&b, "b")] {
            let short = ShortId::parse(old.id.short()).unwrap();
            let listed = |old: &&Predecessor| old.deployment == short && old.retired >= before;
            let listed = now.predecessors.iter().find(listed).unwrap();
            assert!(now.deployments.contains(&(short, Some(listed.site))), "{text}");
        }
        world.store.rollback(&project, &a.id).await.unwrap();
        assert_eq!(predecessors(&world, &project, label).await, shorts(&[&c, &b]));
        world.store.rollback(&project, &a.id).await.unwrap();
        assert_eq!(predecessors(&world, &project, label).await, shorts(&[&c, &b]), "nothing moved");
        world.store.rollback(&project, &b.id).await.unwrap();
        assert_eq!(predecessors(&world, &project, label).await, shorts(&[&a, &c]));
    }
    assert_eq!(predecessors(&world, &project, None).await.len(), 2, "aliases do not share them");
}

#[tokio::test]
async fn a_deployment_that_came_too_late_leaves_none() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let old = world.create(&project, "main", &[("/a.html", "old")]).await;
    let new = world.create(&project, "main", &[("/a.html", "new")]).await;
    let (slow, quick) = (world.claim(&old.id).await, world.claim(&new.id).await);
    run(&world.store, &quick).await.unwrap();
    run(&world.store, &slow).await.unwrap();
    assert!(predecessors(&world, &project, None).await.is_empty());
}

#[tokio::test]
async fn the_same_content_takes_one_place() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let deploy = |text: &'static str| {
        let (world, project) = (&world, &project);
        async move { world.deploy(project, "main", &[("/a.html", text)]).await }
    };
    let first = deploy("same").await;
    let second = deploy("same").await;
    assert!(predecessors(&world, &project, None).await.is_empty(), "what is served is no predecessor");
    let other = deploy("other").await;
    assert_eq!(predecessors(&world, &project, None).await, shorts(&[&second]));
    world.store.rollback(&project, &first.id).await.unwrap();
    assert_eq!(predecessors(&world, &project, None).await, shorts(&[&other]));
    deploy("third").await;
    assert_eq!(predecessors(&world, &project, None).await, shorts(&[&first, &other]));
}

#[tokio::test]
async fn what_is_deleted_is_forgotten() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let other = world.project("other").await;
    let mut made = Vec::new();
    for text in ["1", "2", "3"] {
        made.push(world.deploy(&project, "main", &[("/a.html", text)]).await);
        made.push(world.deploy(&project, "x", &[("/a.html", text)]).await);
        world.deploy(&other, "main", &[("/a.html", text)]).await;
    }
    let [one, x_one, two, x_two, _, x_three] = &made[..] else { panic!() };
    world.store.delete_deployment(&project, &one.id, false).await.unwrap();
    assert_eq!(predecessors(&world, &project, None).await, shorts(&[two]));
    assert_eq!(predecessors(&world, &project, Some("x")).await, shorts(&[x_two, x_one]));
    world.store.delete_deployment(&project, &x_three.id, true).await.unwrap();
    assert!(predecessors(&world, &project, Some("x")).await.is_empty(), "the alias is gone");
    let again = world.deploy(&project, "x", &[("/a.html", "4")]).await;
    world.deploy(&project, "x", &[("/a.html", "5")]).await;
    assert_eq!(predecessors(&world, &project, Some("x")).await, shorts(&[&again]));
    world.store.delete_project(&project).await.unwrap();
    assert_eq!(predecessors(&world, &other, None).await.len(), 2);
}

/// More than are read at once.
#[tokio::test]
async fn very_many_are_all_read() {
    let world = World::new().await;
    let project = world.project("demo").await;
    world.deploy(&project, "main", &[("/a.html", "1")]).await;
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45000)
        INSERT INTO predecessor SELECT project_seq, 'b' || i, seq, i FROM deployment, n";
    world.metadata().await.execute_unprepared(many).await.unwrap();
    let read = routes(&world, &project).await.predecessors;
    let numbers = read.iter().rev().map(|old| format!("b{}", old.retired.as_micros()));
    let labels = read.iter().rev().map(|old| old.label.clone().unwrap().as_str().to_owned());
    assert!(read.len() == 45_000 && labels.eq(numbers));
    assert_eq!(read.last().unwrap().retired.as_micros(), 1);
}

#[tokio::test]
async fn the_list_ends_after_a_number_and_a_time() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let mut made = Vec::new();
    for n in 0..36 {
        made.push(world.deploy(&project, "main", &[("/a.html", &n.to_string())]).await);
    }
    let expected: Vec<&Deployment> = made[3..35].iter().rev().collect();
    assert_eq!(predecessors(&world, &project, None).await, shorts(&expected));

    let db = world.metadata().await;
    let days_ago = |days: i64| Clock::now().as_micros() - days * 86_400_000_000;
    let age = |n: usize, days: i64| {
        let short = i64::from_str_radix(made[n].id.short(), 16).unwrap();
        format!(
            "UPDATE predecessor SET retired = {} WHERE deployment_seq =
                (SELECT seq FROM deployment WHERE short = {short})",
            days_ago(days)
        )
    };
    for n in 3..33 {
        db.execute_unprepared(&age(n, 31)).await.unwrap();
    }
    db.execute_unprepared(&age(33, 29)).await.unwrap();
    world.deploy(&project, "main", &[("/a.html", "last")]).await;
    let expected = shorts(&[&made[35], &made[34], &made[33]]);
    assert_eq!(predecessors(&world, &project, None).await, expected);
}

//! Builds and deploys as the Deploys API tells them, whoever made them.

use offprint_model::listing::{Entity, Filter, Order, Record, Value};
use offprint_model::secret::Secret;
use offprint_store::{DeployWish, ListQuery, Place, Reach, Store, StoreError};

use crate::support::{World, failed, new_build, run};

async fn reach(world: &World) -> Reach {
    world.store.authenticate(&Secret::new("secret".to_owned())).await.unwrap().unwrap().reach()
}

/// All of them, oldest first.
async fn all(world: &World, entity: Entity) -> Vec<Record> {
    let order = Order::newest_first(entity).reversed();
    let asked = ListQuery { filter: Filter::everything(), order, place: Place::First, limit: 100 };
    let page = world.store.list(&reach(world).await, entity, &asked).await.unwrap();
    assert_eq!(page.total.rows, page.items.len() as u64);
    page.items.into_iter().map(|item| item.record).collect()
}

async fn statuses(world: &World, entity: Entity) -> Vec<(i64, String, String)> {
    let told = |record: &Record| {
        let Some(Value::Number(number)) = record.get("sequenceNumber") else { panic!("{record:?}") };
        (*number, record.text("status").unwrap().to_owned(), record.text("trigger").unwrap().to_owned())
    };
    all(world, entity).await.iter().map(told).collect()
}

fn told(number: i64, status: &str, trigger: &str) -> (i64, String, String) {
    (number, status.to_owned(), trigger.to_owned())
}

#[tokio::test]
async fn whatever_the_pages_api_does_is_a_build_and_a_deploy() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let first = world.deploy(&project, "main", &[("/index.html", "first")]).await;
    world.deploy(&project, "main", &[("/index.html", "second")]).await;
    world.store.rollback(&project, &first.id).await.unwrap();
    world.store.retry_deployment(&project, &first.id).await.unwrap();
    let canceled = world.create(&project, "main", &[("/index.html", "third")]).await;
    world.store.cancel_deployment(&project, &canceled.id).await.unwrap();
    assert_eq!(
        statuses(&world, Entity::Deploy).await,
        [
            told(1, "completed", "manual"),
            told(2, "completed", "manual"),
            told(3, "completed", "rollback"),
            told(4, "pending", "manual"),
            told(5, "cancelled", "manual"),
        ]
    );
    let builds = statuses(&world, Entity::Build).await;
    assert_eq!(builds, [1, 2, 3].map(|number| told(number, "completed", "manual")));
    let deploys = all(&world, Entity::Deploy).await;
    assert_eq!(deploys[3].text("buildId"), deploys[0].text("buildId"), "a retry deploys the same build");
    let steps = world.store.steps(Entity::Deploy, deploys[1].id()).await.unwrap();
    let steps: Vec<_> =
        steps.iter().map(|step| (step.text("name").unwrap(), step.text("status").unwrap())).collect();
    assert_eq!(
        steps,
        [
            ("resolve_build", "completed"),
            ("seal", "completed"),
            ("upload", "skipped"),
            ("activate", "completed"),
            ("verify", "skipped"),
        ]
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn a_build_of_a_repository_takes_its_deploy_along() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    world.push(&project, "main", "1").await;
    assert_eq!(statuses(&world, Entity::Build).await, [told(1, "pending", "auto")]);
    let lease = world.claim_build().await.unwrap();
    world.build(&lease, &[("/index.html", "built")]).await.unwrap();
    let failing = world.push(&project, "main", "2").await;
    let lease = world.claim_build().await.unwrap();
    world.store.finish_failed(&lease, failed(failing.stages)).await.unwrap();
    world.push(&project, "main", "3").await;
    world.push(&project, "main", "4").await;
    let expected = [
        told(1, "completed", "auto"),
        told(2, "failed", "auto"),
        told(3, "cancelled", "auto"),
        told(4, "pending", "auto"),
    ];
    assert_eq!(statuses(&world, Entity::Build).await, expected);
    assert_eq!(statuses(&world, Entity::Deploy).await, expected);
    let events = all(&world, Entity::Event).await;
    let kinds: Vec<_> = events.iter().filter_map(|event| event.text("type")).collect();
    for kind in [
        "source.pushed",
        "build.created",
        "build.started",
        "build.completed",
        "build.failed",
        "build.cancelled",
        "deploy.created",
        "deploy.started",
        "deploy.completed",
        "deploy.failed",
        "deploy.cancelled",
        "app.created",
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    let source = all(&world, Entity::Deploy).await[0].text("sourceEventId").unwrap().to_owned();
    assert_eq!(events.iter().find(|event| event.id() == source).unwrap().text("type"), Some("source.pushed"));
    world.assert_sound().await;
}

#[tokio::test]
async fn an_earlier_build_is_rolled_back_to_and_cancelling_has_one_truth() {
    let world = World::new().await;
    let project = world.project("demo").await;
    world.deploy(&project, "main", &[("/index.html", "first")]).await;
    world.deploy(&project, "main", &[("/index.html", "second")]).await;
    let builds = all(&world, Entity::Build).await;
    let reach = reach(&world).await;
    let wish = DeployWish::Build(builds[0].id().to_owned());
    let made = world.store.create_deploy(&reach, &wish).await.unwrap().record;
    assert_eq!((made.text("status"), made.text("trigger")), (Some("pending"), Some("rollback")));
    assert_eq!(made.text("buildId"), Some(builds[0].id()));
    let lease = world.store.claim_upload("w", crate::support::TTL).await.unwrap();
    let lease = lease.unwrap();
    world.store.cancel_deploy(&reach, made.id(), Some("a change of mind")).await.unwrap();
    let late = run(&world.store, &lease).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    let again = world.store.cancel_deploy(&reach, made.id(), None).await;
    assert!(matches!(again, Err(StoreError::NotCancelable)), "{again:?}");
    let latest =
        world.store.create_deploy(&reach, &DeployWish::App(project.app_id().to_owned())).await.unwrap();
    assert_eq!(latest.record.text("buildId"), Some(builds[1].id()));
    assert_eq!(latest.record.text("trigger"), Some("manual"), "it is live");
    world.run_jobs().await;
    let cancelled = world.store.find(&reach, Entity::Deploy, made.id()).await.unwrap().unwrap().record;
    assert_eq!(cancelled.text("status"), Some("cancelled"));
    assert_eq!(cancelled.text("error"), Some("Canceled: a change of mind"));
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_have_no_gap_whichever_process_takes_them() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    // A second handle shares nothing with the first but the database and the directory.
    let beside = Store::open(world.options()).await.unwrap();
    let mut pushes = tokio::task::JoinSet::new();
    for n in 0..40 {
        let store = if n % 2 == 0 { world.store.clone() } else { beside.clone() };
        let project = project.clone();
        pushes.spawn(async move {
            let branch = format!("branch-{n}");
            let made = store.create_build(&project, new_build(&branch, "1"), None).await.unwrap();
            if n % 3 == 0 {
                store.cancel_deployment(&project, &made.id).await.unwrap();
            }
        });
    }
    pushes.join_all().await;
    let numbers = async |entity| {
        let mut numbers: Vec<i64> =
            statuses(&world, entity).await.into_iter().map(|(number, ..)| number).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(numbers(Entity::Build).await, (1..=40).collect::<Vec<_>>());
    assert_eq!(numbers(Entity::Deploy).await, (1..=40).collect::<Vec<_>>());
    world.assert_sound().await;
}

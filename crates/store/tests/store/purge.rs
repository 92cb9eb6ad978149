//! Apps that were deleted so that they can be restored, and whose time is over.

use std::time::Duration;

use offprint_model::listing::{Entity, Filter, Order, Value};
use offprint_model::name::{Hostname, ProjectName};
use offprint_model::secret::Secret;
use offprint_store::{Deleted, ListQuery, Place, Reach};
use sea_orm::ConnectionTrait;

use crate::support::World;

const TIERS: [(&str, Option<&str>); 5] = [
    ("short", Some("short")),
    ("medium", Some("medium")),
    ("long", Some("long")),
    ("for-ever", Some("none")),
    ("unsaid", None),
];

/// The handles of the apps that are deleted and can be restored.
async fn deleted(world: &World, reach: &Reach) -> Vec<String> {
    let order = Order::newest_first(Entity::App).reversed();
    let asked = ListQuery { filter: Filter::everything(), order, place: Place::First, limit: 100 };
    let reach = reach.clone().with_deleted(Deleted::Only);
    let page = world.store.list(&reach, Entity::App, &asked).await.unwrap();
    page.items.iter().map(|item| item.record.text("handle").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_deleted_app_goes_for_good_when_its_time_is_over_and_not_before() {
    let world = World::new().await;
    let secret = Secret::new("secret".to_owned());
    let reach = world.store.authenticate(&secret).await.unwrap().unwrap().reach();
    let database = world.metadata().await;
    for (name, tier) in TIERS {
        let project = world.project(name).await;
        world.deploy(&project, "main", &[("/index.html", name)]).await;
        world
            .store
            .add_domain(&project, &Hostname::parse(&format!("{name}.example.com")).unwrap())
            .await
            .unwrap();
        let tier = tier.map_or("NULL".to_owned(), |tier| format!("'{tier}'"));
        let set = format!("UPDATE project SET retention = {tier} WHERE name = '{name}'");
        database.execute_unprepared(&set).await.unwrap();
        world.store.delete_app(&reach, project.app_id()).await.unwrap();
    }
    let live = world.project("live").await;
    world.deploy(&live, "main", &[("/index.html", "live")]).await;
    assert_eq!(deleted(&world, &reach).await.len(), TIERS.len());
    // So many days pass; what is left then.
    let mut passed = 0;
    for (days, left) in [
        (6, &["short", "medium", "long", "for-ever", "unsaid"][..]),
        (8, &["medium", "long", "for-ever", "unsaid"]),
        (29, &["medium", "long", "for-ever", "unsaid"]),
        (31, &["long", "for-ever", "unsaid"]),
        (89, &["long", "for-ever", "unsaid"]),
        (91, &["for-ever", "unsaid"]),
        (9999, &["for-ever", "unsaid"]),
    ] {
        let micros = Duration::from_hours(24 * (days - passed)).as_micros();
        passed = days;
        let pass = format!("UPDATE project SET deleted = deleted - {micros} WHERE deleted IS NOT NULL");
        database.execute_unprepared(&pass).await.unwrap();
        world.store.collect(Duration::ZERO).await.unwrap();
        assert_eq!(deleted(&world, &reach).await, left, "after {days} days");
        world.assert_sound().await;
    }
    // The name is free again, and the bytes are gone with the app.
    let again = world.project("short").await;
    world.deploy(&again, "main", &[("/index.html", "again")]).await;
    let unsaid = ProjectName::parse("unsaid").unwrap();
    assert!(world.store.project(&world.account, &unsaid).await.is_err(), "it is deleted still");
    let page = ListQuery {
        filter: Filter::eq(Entity::Event, "type", Value::Text("app.removed".into())).unwrap(),
        order: Order::newest_first(Entity::Event),
        place: Place::First,
        limit: 100,
    };
    assert_eq!(world.store.list(&reach, Entity::Event, &page).await.unwrap().total.rows, 3);
}

//! Custom domains: waiting in several projects, active in one.

use offprint_model::name::Hostname;
use offprint_model::project::DomainStatus;
use offprint_store::{Entity, StoreError};

use crate::support::World;

#[tokio::test]
async fn a_domain_is_active_in_one_project_only() {
    let world = World::new().await;
    let (a, b) = (world.project("a").await, world.project("b").await);
    let host = Hostname::parse("www.example.com").unwrap();
    let store = &world.store;
    let added = store.add_domain(&a, &host).await.unwrap();
    assert_eq!((added.status, added.error), (DomainStatus::Initializing, None));
    assert!(matches!(store.add_domain(&a, &host).await, Err(StoreError::Exists(Entity::Domain))));
    store.add_domain(&b, &host).await.unwrap();
    let pending = store.set_domain_status(&b, &host, DomainStatus::Pending, Some("no CNAME".into())).await;
    assert_eq!(pending.unwrap().error.as_deref(), Some("no CNAME"));

    let (one, two) = tokio::join!(
        store.set_domain_status(&a, &host, DomainStatus::Active, None),
        store.set_domain_status(&b, &host, DomainStatus::Active, None),
    );
    let (winner, loser, lost) = if one.is_ok() { (&a, &b, two) } else { (&b, &a, one) };
    assert!(matches!(lost, Err(StoreError::TakenElsewhere)));
    let c = world.project("c").await;
    assert!(matches!(store.add_domain(&c, &host).await, Err(StoreError::TakenElsewhere)));
    store.remove_domain(winner, &host).await.unwrap();
    store.set_domain_status(loser, &host, DomainStatus::Active, None).await.unwrap();
    assert!(matches!(store.domain(winner, &host).await, Err(StoreError::NotFound(Entity::Domain))));
    assert!(matches!(store.remove_domain(winner, &host).await, Err(StoreError::NotFound(Entity::Domain))));
    assert_eq!(store.domains(loser).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_project_lists_its_domains_in_the_order_they_were_added() {
    let world = World::new().await;
    let project = world.project("a").await;
    for name in ["z.example.com", "a.example.com"] {
        world.store.add_domain(&project, &Hostname::parse(name).unwrap()).await.unwrap();
    }
    let (_, read) = world.lookup("a").await;
    assert_eq!(
        read.domains.iter().map(Hostname::as_str).collect::<Vec<_>>(),
        ["z.example.com", "a.example.com"]
    );
}

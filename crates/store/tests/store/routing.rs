//! What an edge reads: one committed revision, whichever way it reads it.

use std::collections::BTreeMap;

use offprint_model::name::Hostname;
use offprint_model::project::DomainStatus;
use offprint_store::{ProjectRoutes, RoutingUpdate, Store};

use crate::support::World;

/// An edge's table, kept up to date by updates.
#[derive(Default)]
struct Table {
    revision: u64,
    projects: BTreeMap<String, ProjectRoutes>,
}

impl Table {
    async fn refresh(&mut self, store: &Store) -> RoutingUpdate {
        let update = store.routing_since(self.revision).await.unwrap();
        if update.full {
            self.projects.clear();
        }
        for (name, routes) in update.projects.clone() {
            match routes {
                Some(routes) => drop(self.projects.insert(name.to_string(), routes)),
                None => drop(self.projects.remove(name.as_str())),
            }
        }
        self.revision = update.revision;
        update
    }
}

#[tokio::test]
async fn a_table_kept_up_to_date_equals_one_read_afresh() {
    let world = World::new().await;
    let mut table = Table::default();
    table.refresh(&world.store).await;
    let (a, b) = (world.project("a").await, world.project("b").await);
    let host = Hostname::parse("www.example.com").unwrap();
    world.store.add_domain(&a, &host).await.unwrap();
    let mut step = async || {
        let before = table.revision;
        table.refresh(&world.store).await;
        let mut fresh = Table::default();
        fresh.refresh(&world.store).await;
        assert_eq!(fresh.projects, table.projects);
        assert_eq!(fresh.revision, table.revision);
        (table.revision - before, table.projects.clone())
    };
    step().await;
    let first = world.deploy(&a, "main", &[("/a.html", "1")]).await;
    assert_eq!(step().await.0, 1);
    world.deploy(&a, "x", &[("/a.html", "2")]).await;
    world.store.set_domain_status(&a, &host, DomainStatus::Active, None).await.unwrap();
    let (_, projects) = step().await;
    assert_eq!(projects["a"].domains, std::slice::from_ref(&host));
    assert_eq!(projects["a"].branches[0].0.as_str(), "x");
    assert_eq!(projects["a"].deployments.len(), 2);
    world.deploy(&a, "main", &[("/a.html", "3")]).await;
    world.store.rollback(&a, &first.id).await.unwrap();
    let (revisions, projects) = step().await;
    assert_eq!(revisions, 2);
    let live = projects["a"].production.unwrap();
    assert_eq!(live.deployment.to_string(), first.id.short());
    assert!(
        projects["a"].deployments.contains(&(live.deployment, Some(live.site))),
        "one changes with the other"
    );
    world.store.remove_domain(&a, &host).await.unwrap();
    world.store.delete_project(&b).await.unwrap();
    let (_, projects) = step().await;
    assert_eq!(projects.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(step().await.0, 0);
}

#[tokio::test]
async fn nothing_new_is_an_empty_update_and_an_unknown_revision_a_full_one() {
    let world = World::new().await;
    world.project("a").await;
    let all = world.store.routing_since(0).await.unwrap();
    assert!(all.full && all.projects.len() == 1);
    let none = world.store.routing_since(all.revision).await.unwrap();
    assert!(!none.full && none.projects.is_empty() && none.revision == all.revision);
    for odd in [all.revision + 7, u64::MAX] {
        assert_eq!(world.store.routing_since(odd).await.unwrap(), all);
    }
}

#[tokio::test]
async fn a_read_while_deployments_come_and_go_is_whole() {
    let world = World::new().await;
    let project = world.project("a").await;
    let store = world.store.clone();
    let reader = tokio::spawn(async move {
        let mut table = Table::default();
        for _ in 0..200 {
            table.refresh(&store).await;
            if let Some(routes) = table.projects.get("a") {
                let Some(live) = routes.production else { continue };
                let own = (live.deployment, Some(live.site));
                assert!(routes.deployments.contains(&own), "half of an activation");
            }
        }
    });
    for n in 0..15 {
        world.deploy(&project, "main", &[("/a.html", &n.to_string())]).await;
    }
    reader.await.unwrap();
}

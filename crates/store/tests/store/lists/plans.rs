//! How the database goes about lists: by an index, from the place in question on, without sorting.

use offprint_model::listing::{Direction, Entity, Filter, Nulls, Order, OrderKey, Value};
use offprint_store::{ListQuery, Place};

use super::data::Data;
use super::reach;
use crate::support::World;

/// A field that is equal to something, as the shorthands of lists are; none for the list itself.
const CONDITIONS: &[(Entity, &[&str])] = &[
    (Entity::Deploy, &["", "workspaceId", "entityId", "buildId", "status", "trigger", "createdBy"]),
    (Entity::Build, &["", "workspaceId", "entityId", "status", "trigger", "createdBy"]),
    (Entity::Event, &["", "workspaceId", "type", "subjectId", "parentId", "userId"]),
    (Entity::App, &["", "workspaceId"]),
    (Entity::AppVersion, &["", "appId"]),
    (Entity::ApiKey, &["", "workspaceId"]),
    (Entity::WebhookSubscription, &["", "workspaceId"]),
];

fn ordered_by(entity: Entity, field: &str, descending: bool, nulls: Nulls) -> Order {
    let field = entity.field(field).unwrap();
    Order::new(entity, vec![OrderKey { field, direction: Direction { descending, nulls } }])
}

fn first(filter: Filter, order: Order) -> ListQuery {
    ListQuery { filter, order, place: Place::First, limit: 3 }
}

/// The list is a search in an index, which brings its rows in order.
fn is_a_seek(plan: &[String]) -> bool {
    let searches =
        |step: &String| step.starts_with("SEARCH t0 USING INDEX") && step.contains("account_seq=?");
    let sorts = |step: &String| step.contains("TEMP B-TREE");
    plan.iter().any(searches) && !plan.iter().any(|step| step.starts_with("SCAN t0") || sorts(step))
}

#[tokio::test]
async fn every_shorthand_and_the_default_order_is_a_seek_in_an_index() {
    let world = World::new().await;
    Data::fill(&world).await;
    let mine = reach(&world.store, "secret").await;
    for (entity, fields) in CONDITIONS {
        for field in *fields {
            let filter = match *field {
                "" => Filter::everything(),
                field => Filter::eq(*entity, field, Value::Text("x".into())).unwrap(),
            };
            let asked = first(filter, Order::newest_first(*entity));
            let plan = world.store.plan_of_list(&mine, *entity, &asked).await.unwrap();
            assert!(is_a_seek(&plan), "{entity:?} {field}: {plan:#?}");
        }
    }
}

#[tokio::test]
async fn a_page_after_a_cursor_begins_where_the_cursor_is() {
    let world = World::new().await;
    Data::fill(&world).await;
    let mine = reach(&world.store, "secret").await;
    let mut orders = vec![Order::newest_first(Entity::Deploy)];
    for field in ["startedAt", "completedAt"] {
        for (descending, nulls) in
            [(false, Nulls::First), (false, Nulls::Last), (true, Nulls::First), (true, Nulls::Last)]
        {
            orders.push(ordered_by(Entity::Deploy, field, descending, nulls));
        }
    }
    for order in orders {
        let key = order.keys()[0].field.name;
        let mut asked = first(Filter::everything(), order);
        let mut pages = 0;
        loop {
            let plan = world.store.plan_of_list(&mine, Entity::Deploy, &asked).await.unwrap();
            assert!(is_a_seek(&plan), "{key} {:?}: {plan:#?}", asked.place);
            // What a later page begins with is a bound of the search, and not a condition on every row before.
            let bound =
                |step: &String| ["(?,?)", "AND id<?", "AND id>?"].iter().any(|end| step.contains(end));
            assert!(pages == 0 || plan.iter().any(bound), "{key}: {plan:#?}");
            let page = world.store.list(&mine, Entity::Deploy, &asked).await.unwrap();
            let Some(last) = page.items.last().filter(|_| page.has_next) else { break };
            asked.place = Place::After(world.store.cursor(&page, last).unwrap());
            pages += 1;
        }
        assert!(pages > 5, "{pages}");
    }
}

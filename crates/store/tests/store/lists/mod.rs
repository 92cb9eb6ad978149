//! Lists against a naive evaluation of the same filter and order: whatever is asked, walking forward and then backward
//! gives exactly the rows, in exactly the order, that sorting and filtering in memory gives.

mod data;
mod naive;
mod plans;
mod random;

use offprint_model::listing::{Entity, Filter, Order};
use offprint_model::secret::Secret;
use offprint_store::{BadCursor, ListQuery, Place, Reach, Store, StoreError};

use crate::support::World;
use data::Data;
use random::Random;

/// So many questions are asked of each list.
const CASES: u64 = 3000;

async fn reach(store: &Store, token: &str) -> Reach {
    store.authenticate(&Secret::new(token.to_owned())).await.unwrap().unwrap().reach()
}

/// Reads a list from one end to the other, and then back.
async fn walk(store: &Store, reach: &Reach, entity: Entity, asked: &ListQuery, expected: &[String]) {
    let mut place = Place::First;
    let mut seen: Vec<String> = Vec::new();
    let mut cursors = Vec::new();
    loop {
        let page = store.list(reach, entity, &ListQuery { place, ..asked.clone() }).await.unwrap();
        assert_eq!((page.total.rows, page.total.exact), (expected.len() as u64, true));
        assert_eq!(page.has_previous, !seen.is_empty(), "after {} rows", seen.len());
        seen.extend(page.items.iter().map(|item| item.record.id().to_owned()));
        cursors.extend(page.items.iter().map(|item| store.cursor(&page, item).unwrap()));
        assert_eq!(page.has_next, seen.len() < expected.len(), "after {} rows", seen.len());
        let Some(last) = page.items.last().filter(|_| page.has_next) else { break };
        place = Place::After(store.cursor(&page, last).unwrap());
    }
    assert_eq!(seen, expected, "forward");
    let Some(last) = cursors.last() else { return };
    let mut back: Vec<String> = vec![expected[expected.len() - 1].clone()];
    let mut place = Place::Before(last.clone());
    loop {
        let page = store.list(reach, entity, &ListQuery { place, ..asked.clone() }).await.unwrap();
        assert!(page.has_next, "the row of the cursor comes after");
        back.extend(page.items.iter().rev().map(|item| item.record.id().to_owned()));
        assert_eq!(page.has_previous, back.len() < expected.len(), "after {} rows", back.len());
        let Some(first) = page.items.first().filter(|_| page.has_previous) else { break };
        place = Place::Before(store.cursor(&page, first).unwrap());
    }
    back.reverse();
    assert_eq!(back, expected, "backward");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_what_sorting_in_memory_gives() {
    let world = World::new().await;
    let data = Data::fill(&world).await;
    let reaches = [reach(&world.store, "secret").await, reach(&world.store, "other-secret").await];
    for case in 0..CASES {
        let mut random = Random::new(case);
        let entity = random.of(&[Entity::Deploy, Entity::Deploy, Entity::Build, Entity::App]);
        let asked = ListQuery {
            filter: random.filter(&data, entity, 3),
            order: random.order(entity),
            place: Place::First,
            limit: random.below(7) as u32 + 1,
        };
        let workspace = random.below(2);
        let expected = naive::ids(&data, workspace, entity, &asked.filter, &asked.order);
        // A panic in there is told with the case that caused it.
        let (store, reach) = (world.store.clone(), reaches[workspace].clone());
        let again = asked.clone();
        let checked = tokio::spawn(async move { walk(&store, &reach, entity, &again, &expected).await });
        assert!(checked.await.is_ok(), "case {case}: {entity:?} in workspace {workspace}: {asked:?}");
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_only() {
    let world = World::new().await;
    Data::fill(&world).await;
    let mine = reach(&world.store, "secret").await;
    let asked = |place| ListQuery {
        filter: Filter::everything(),
        order: Order::newest_first(Entity::Deploy),
        place,
        limit: 2,
    };
    let page = world.store.list(&mine, Entity::Deploy, &asked(Place::First)).await.unwrap();
    let cursor = world.store.cursor(&page, &page.items[1]).unwrap();
    let refused = async |entity, query: ListQuery| match world.store.list(&mine, entity, &query).await {
        Err(StoreError::BadCursor(why)) => why,
        other => panic!("{:?}", other.map(|page| page.items.len())),
    };
    let other_order = ListQuery {
        order: Order::newest_first(Entity::Deploy).reversed(),
        ..asked(Place::After(cursor.clone()))
    };
    assert_eq!(refused(Entity::Deploy, other_order).await, BadCursor::OfAnotherList);
    assert_eq!(refused(Entity::Build, asked(Place::After(cursor.clone()))).await, BadCursor::OfAnotherList);
    for n in 0..cursor.len() {
        let mut forged = cursor.clone().into_bytes();
        forged[n] = if forged[n] == b'0' { b'1' } else { b'0' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(refused(Entity::Deploy, asked(Place::Before(forged))).await, BadCursor::Unknown);
    }
    for nonsense in ["", "0", "zz", "00", &"0".repeat(100), &cursor[2..]] {
        assert_eq!(refused(Entity::Deploy, asked(Place::After(nonsense.into()))).await, BadCursor::Unknown);
    }
}

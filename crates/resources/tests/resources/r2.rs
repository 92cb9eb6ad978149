//! R2's lists against a naive model.

use std::collections::{BTreeMap, BTreeSet};

use offprint_model::object::{Conditions, ObjectKey};
use offprint_model::resource::ResourceKind;
use offprint_resources::r2::{Put, cursor_of, position_of};
use offprint_store::{ObjectDescription, ObjectList, Resource};
use proptest::prelude::*;

use crate::World;

async fn put(world: &World, bucket: &Resource, key: &str) {
    let r2 = world.resources.r2();
    let mut writer = r2.writer(None).unwrap();
    writer.write(key.to_owned().into()).await.unwrap();
    let put = Put {
        key: ObjectKey::parse(key).unwrap(),
        description: ObjectDescription::default(),
        expected: None,
        conditions: Conditions::default(),
    };
    r2.put(bucket, put, writer).await.unwrap();
}

/// What a list should hold: keys, and prefixes up to and with the delimiter.
fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: &str) -> (Vec<String>, Vec<String>) {
    let mut prefixes = BTreeSet::new();
    let mut objects = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        match key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => drop(prefixes.insert(key[..prefix.len() + at + delimiter.len()].to_owned())),
            None => objects.push(key.clone()),
        }
    }
    (objects, prefixes.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn lists_hold_each_object_or_its_prefix_once(
        keys in prop::collection::btree_set("[ab/ü\u{10ffff}]{1,5}", 0..25),
        prefix in "[a/]{0,2}",
        delimiter in prop_oneof![Just(""), Just("/"), Just("b/"), Just("ü")],
        limit in 1_usize..5,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let bucket = world.create(ResourceKind::R2, "one").await;
            let other = world.create(ResourceKind::R2, "two").await;
            put(&world, &other, "a/other").await;
            for key in &keys {
                put(&world, &bucket, key).await;
            }
            let (mut objects, mut prefixes, mut after) = (Vec::new(), Vec::new(), None);
            loop {
                let list = ObjectList {
                    prefix: prefix.clone(),
                    delimiter: delimiter.to_owned(),
                    after,
                    limit,
                    bytes_max: usize::MAX,
                };
                let page = world.resources.r2().list(&bucket, &list).await.unwrap();
                let count = page.objects.len() + page.prefixes.len();
                assert!(count <= limit && (page.next.is_none() || count == limit));
                objects.extend(page.objects.iter().map(|object| object.key.as_str().to_owned()));
                prefixes.extend(page.prefixes);
                match page.next {
                    None => break,
                    Some(next) => after = Some(position_of(&cursor_of(&next)).unwrap()),
                }
            }
            assert_eq!((objects, prefixes), model(&keys, &prefix, delimiter));
        });
    }
}

#[tokio::test]
async fn a_page_is_bounded_by_its_metadata() {
    let world = World::new().await;
    let bucket = world.create(ResourceKind::R2, "one").await;
    for n in 0..20 {
        put(&world, &bucket, &format!("{n:02}{}", "k".repeat(1000))).await;
    }
    let mut seen = BTreeMap::new();
    let mut list = ObjectList { limit: 1000, bytes_max: 5000, ..ObjectList::default() };
    loop {
        let page = world.resources.r2().list(&bucket, &list).await.unwrap();
        assert!((1..=3).contains(&page.objects.len()));
        seen.extend(page.objects.into_iter().map(|object| (object.key.as_str().to_owned(), object.size)));
        match page.next {
            None => break,
            next => list.after = next,
        }
    }
    assert_eq!(seen.len(), 20);
    list = ObjectList { limit: 1000, bytes_max: 0, ..ObjectList::default() };
    assert_eq!(
        world.resources.r2().list(&bucket, &list).await.unwrap().objects.len(),
        1,
        "one is always listed"
    );
}

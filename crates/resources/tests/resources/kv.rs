//! KV against a naive model.

use std::collections::{BTreeMap, BTreeSet};

use offprint_model::kv::KvKey;
use offprint_model::resource::ResourceKind;
use offprint_resources::kv::{KvList, KvPosition, KvWrite};
use offprint_store::{Clock, Resource};
use proptest::prelude::*;

use crate::World;

fn put(key: &str, value: &str, expires: Option<u64>) -> KvWrite {
    KvWrite::Put {
        key: KvKey::parse(key).unwrap(),
        value: value.to_owned().into(),
        metadata: Some(format!("\"{value}\"")),
        expires,
    }
}

fn now_s() -> u64 {
    u64::try_from(Clock::now().as_micros() / 1_000_000).unwrap()
}

/// All keys with a prefix, page after page.
async fn listed(world: &World, resource: &Resource, prefix: &str, limit: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let list = KvList { prefix: prefix.to_owned(), after, limit };
        let page = world.resources.kv().list(resource, list).await.unwrap();
        assert!(page.keys.len() <= limit && (page.next.is_none() || page.keys.len() == limit));
        found.extend(page.keys.into_iter().map(|key| (key.name, key.metadata.unwrap())));
        match page.next {
            None => return found,
            Some(next) => after = KvPosition::of_cursor(&next.cursor()),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(String, String),
    PutExpired(String),
    Delete(String),
    Reopen,
}

fn key() -> impl Strategy<Value = String> {
    "[a/%\u{0}ü\u{10ffff}]{1,4}"
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (key(), "[a-z]{0,3}").prop_map(|(key, value)| Step::Put(key, value)),
        2 => key().prop_map(Step::PutExpired),
        3 => key().prop_map(Step::Delete),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_namespace_is_a_sorted_map(
        steps in prop::collection::vec(step(), 1..60),
        prefix in "[a/ü]{0,2}",
        limit in 1_usize..6,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            let resource = world.create(ResourceKind::Kv, "one").await;
            let mut model = BTreeMap::new();
            for step in steps {
                let writes = match step {
                    Step::Put(key, value) => {
                        model.insert(key.clone(), value.clone());
                        vec![put(&key, &value, Some(now_s() + 3600))]
                    }
                    Step::PutExpired(key) => {
                        model.remove(&key);
                        vec![put(&key, "old", Some(now_s() - 1))]
                    }
                    Step::Delete(key) => {
                        model.remove(&key);
                        vec![KvWrite::Delete(KvKey::parse(&key).unwrap())]
                    }
                    Step::Reopen => {
                        world = world.reopen().await;
                        continue;
                    }
                };
                world.resources.kv().write(&resource, writes).await.unwrap();
            }
            for (key, value) in &model {
                let found = world.resources.kv().get(&resource, KvKey::parse(key).unwrap()).await.unwrap();
                assert_eq!(found.unwrap().value, value.as_bytes());
            }
            let expected: Vec<_> = model
                .iter()
                .filter(|(key, _)| key.starts_with(&prefix))
                .map(|(key, value)| (key.clone(), format!("\"{value}\"")))
                .collect();
            assert_eq!(listed(&world, &resource, &prefix, limit).await, expected);
        });
    }
}

#[tokio::test]
async fn what_has_expired_is_swept_away() {
    let world = World::new().await;
    let resource = world.create(ResourceKind::Kv, "one").await;
    let writes = (0..2500).map(|n| put(&n.to_string(), &"x".repeat(1000), Some(now_s() - 1))).collect();
    world.resources.kv().write(&resource, writes).await.unwrap();
    world.resources.kv().write(&resource, vec![put("kept", "x", None)]).await.unwrap();
    assert!(listed(&world, &resource, "", 1000).await.len() == 1, "it is not seen from its second on");
    let path = world.directory.path().join(format!("bindings/kv/{}.db", resource.id()));
    world.resources.tidy(false).await.unwrap();
    let world = world.reopen().await;
    let size = std::fs::metadata(path).unwrap().len();
    assert!(size < 500_000, "{size}");
    assert_eq!(listed(&world, &resource, "", 1000).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_namespaces_than_may_be_open_take_turns() {
    let world = World::new().await;
    let mut made = Vec::new();
    for n in 0..100 {
        made.push(world.create(ResourceKind::Kv, &n.to_string()).await);
    }
    for round in 0..3 {
        let writes = made.iter().map(|resource| {
            world
                .resources
                .kv()
                .write(resource, vec![put("k", &format!("{round}-{}", resource.name()), None)])
        });
        for write in futures(writes).await {
            write.unwrap();
        }
    }
    for resource in &made {
        let entry = world.resources.kv().get(resource, KvKey::parse("k").unwrap()).await.unwrap().unwrap();
        assert_eq!(entry.value, format!("2-{}", resource.name()));
    }
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let ours = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    let namespaces = world.directory.path().join("bindings/kv");
    let databases =
        ours.filter(|path| path.starts_with(&namespaces) && path.extension() == Some("db".as_ref()));
    let databases: BTreeSet<_> = databases.collect();
    assert!((1..=64).contains(&databases.len()), "{}", databases.len());
}

/// Waits for all, at once.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = all.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, output) in waiting.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(context) {
                std::task::Poll::Ready(done) => *output = Some(done),
                std::task::Poll::Pending => pending = true,
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    waiting.into_iter().map(|(_, output)| output.unwrap()).collect()
}

//! What was acknowledged survives the end of the process, whenever it comes.
//!
//! The test starts itself again as a child, which writes and says after each write that it was acknowledged; it is
//! killed in the middle, and what it said must be there.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use offprint_model::kv::KvKey;
use offprint_model::resource::ResourceKind;
use offprint_resources::kv::KvWrite;
use offprint_store::Resource;

use crate::support::House;

const DIRECTORY: &str = "OFFPRINT_TEST_WRITE_INTO";

/// The child: writes until it is killed. Does nothing when it is run like any other test.
#[tokio::test(flavor = "multi_thread")]
async fn writer() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = tempfile::TempDir::with_prefix_in("child", directory).unwrap();
    println!("\ninto {}", directory.path().display());
    let house = House::open(directory).await;
    let resource = only_resource(&house, ResourceKind::Kv).await;
    for n in 0.. {
        let key = KvKey::parse(&format!("key-{n}")).unwrap();
        let value = format!("value-{n}-").repeat(500).into();
        let put = KvWrite::Put { key, value, metadata: None, expires: None };
        house.resources.kv().write(&resource, vec![put]).await.unwrap();
        println!("kv {n}");
    }
}

async fn only_resource(house: &House, kind: ResourceKind) -> Resource {
    let all = house.resources.store().all_resources(&house.account, kind).await.unwrap();
    match all.into_iter().next() {
        Some(resource) => resource,
        None => {
            house.create(kind, "one").await;
            house.resources.store().all_resources(&house.account, kind).await.unwrap().remove(0)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill() {
    for patience_ms in [50, 200, 350] {
        let parent = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durable::writer", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, parent.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0;
        let mut directory = None;
        let mut killed = false;
        let mut first = None;
        for line in lines.map_while(Result::ok) {
            if let Some(path) = line.strip_prefix("into ") {
                directory = Some(path.to_owned());
            } else if let Some(n) = line.strip_prefix("kv ").and_then(|n| n.parse::<u32>().ok()) {
                acknowledged = n + 1;
                let started = *first.get_or_insert_with(std::time::Instant::now);
                if !killed && started.elapsed() > Duration::from_millis(patience_ms) {
                    child.kill().unwrap();
                    killed = true;
                }
            }
        }
        child.wait().unwrap();
        assert!(killed && acknowledged > 0, "{acknowledged}");
        // What it left is opened as it is.
        let left = parent.path().join("left");
        std::fs::rename(directory.unwrap(), &left).unwrap();
        let opened = tempfile::tempdir().unwrap();
        std::fs::rename(left.join("data"), opened.path().join("data")).unwrap();
        let house = House::open(opened).await;
        let resource = only_resource(&house, ResourceKind::Kv).await;
        for n in 0..acknowledged {
            let key = KvKey::parse(&format!("key-{n}")).unwrap();
            let entry = house.resources.kv().get(&resource, key).await.unwrap();
            let entry = entry.unwrap_or_else(|| panic!("key-{n} of {acknowledged} is lost"));
            assert_eq!(entry.value, format!("value-{n}-").repeat(500));
        }
    }
}

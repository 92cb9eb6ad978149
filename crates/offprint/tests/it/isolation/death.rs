//! Builds that want to live on.

use super::{Ground, PAUSE};
use crate::support::project;

pub(super) fn lives(text: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(text))
}

fn outlive(number: &str) -> String {
    format!(
        "setsid sleep {number} & (nohup sleep {number} >/dev/null 2>&1 &); sh -c 'trap \"\" HUP TERM; (sleep {number} &) &'; "
    )
}

#[tokio::test]
async fn nothing_outlives_its_build() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let built = ground.build("zombie", &format!("{} sleep 0.3; exit 0", outlive("86001"))).await;
    built.went_live();
    assert!(!lives("86001"));
}

#[tokio::test]
async fn nothing_outlives_a_cancelled_build() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let gate = ground.git.gate();
    let id = ground.begin("canceled", &format!("{} {gate}", outlive("86002"))).await;
    ground.git.comes_to_gate(1).await;
    assert!(lives("86002"));
    ground.api.post(&project("canceled", &format!("/deployments/{id}/cancel"))).ok().await;
    let ended = ground.ended("canceled", &id).await;
    assert_eq!(ended.deployment["latest_stage"]["status"], "canceled");
    assert_dies("86002").await;
}

#[tokio::test]
async fn nothing_outlives_a_killed_server() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let gate = ground.git.gate();
    ground.begin("orphan", &format!("{} {gate}", outlive("86003"))).await;
    ground.git.comes_to_gate(1).await;
    assert!(lives("86003"));
    ground.server.signal("KILL");
    assert_dies("86003").await;
}

/// The kernel kills; that takes it a moment.
async fn assert_dies(text: &str) {
    for _ in 0..60 {
        if !lives(text) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{text} lives");
}

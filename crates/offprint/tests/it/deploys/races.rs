//! Many at once: numbers without gaps, one truth for every deploy, and production where the last completed one put it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{Cluster, TestServer, id};

/// So many ask for deploys, and cancel every other one.
const CALLERS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_creators_and_cancellers_agree() {
    creators_and_cancellers_agree(TestServer::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_creators_and_cancellers_agree_on_postgres() {
    let Some(cluster) = Cluster::shared() else { return };
    let server = TestServer::start_with(&[("OFFPRINT_DATABASE", &cluster.database())]).await;
    creators_and_cancellers_agree(server).await;
}

async fn creators_and_cancellers_agree(server: TestServer) {
    let api = server.deploys().await;
    let (app, version) = api.app("Races", &[("index.html", "first")]).await;
    let first = api.build(&version).await;
    api.patch(
        &format!("/app-versions/{version}/files"),
        json!({ "path": "index.html", "content": "second" }),
    )
    .await
    .ok();
    let second = api.build(&version).await;
    let calls = (0..CALLERS).map(|n| {
        let (api, build) = (api.clone(), if n % 2 == 0 { first.clone() } else { second.clone() });
        tokio::spawn(async move {
            let deploy = id(&api.post("/deploys", json!({ "buildId": build })).await.made());
            let cancelled = match n % 3 {
                0 => Some(
                    api.post(&format!("/deploys/{deploy}/cancel"), json!({ "reason": "race" })).await.status,
                ),
                _ => None,
            };
            (deploy, cancelled)
        })
    });
    let mut numbers = BTreeSet::new();
    let mut last_completed: Option<Value> = None;
    // When each that moved production did so, by its number.
    let mut moves = BTreeMap::new();
    for call in futures_util::future::join_all(calls).await {
        let (deploy, cancelled) = call.unwrap();
        let ended = api.ended(&format!("/deploys/{deploy}")).await;
        let expected = match cancelled {
            Some(200) => "cancelled",
            None | Some(409) => "completed",
            other => panic!("{other:?}"),
        };
        assert_eq!(ended["status"], expected, "{ended}");
        let steps = ended["steps"].as_array().unwrap();
        assert!(
            steps.iter().all(|step| step["status"] != "pending" && step["status"] != "running"),
            "{ended}"
        );
        let number = ended["sequenceNumber"].as_i64().unwrap();
        assert!(numbers.insert(number));
        moves.extend(moved_production(steps).map(|at| (number, at)));
        let later = |before: &Value| before["sequenceNumber"].as_i64() < ended["sequenceNumber"].as_i64();
        if expected == "completed" && last_completed.as_ref().is_none_or(later) {
            last_completed = Some(ended);
        }
    }
    assert_eq!(numbers, (1..=CALLERS as i64).collect());
    let last_completed = last_completed.unwrap();
    // Production never goes back to an earlier one.
    assert!(moves.values().is_sorted(), "{moves:?}");
    assert_eq!(moves.keys().last().copied(), last_completed["sequenceNumber"].as_i64());
    let text = if last_completed["buildId"] == json!(first) { "first" } else { "second" };
    server.shows("races.pages.localhost", text).await;
    let total = |status: &str| {
        let (api, path) = (api.clone(), format!("/deploys?entity_id={app}&status={status}&limit=1"));
        async move { api.get(&path).await.ok()["pageInfo"]["total"].as_u64().unwrap() }
    };
    assert_eq!(total("completed").await + total("cancelled").await, CALLERS as u64);
}

/// When a deploy with these steps moved production; `None` when it did not.
fn moved_production(steps: &[Value]) -> Option<String> {
    let activated = steps.iter().find(|step| step["name"] == "activate")?;
    let moved = activated["metadata"]["aliasMoved"] == true;
    moved.then(|| activated["completedAt"].as_str().map(str::to_owned))?
}

//! Server-sent events: of one deploy, and of a workspace.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::{TOKEN, TestServer, id};

/// The events of a stream until one of this kind: their kinds and data.
async fn until(server: &TestServer, path: &str, last: impl Fn(&str, &Value) -> bool) -> Vec<(String, Value)> {
    behind(server, path, "", last).await
}

/// The same of a client that names the last event it has seen.
async fn behind(
    server: &TestServer,
    path: &str,
    seen: &str,
    last: impl Fn(&str, &Value) -> bool,
) -> Vec<(String, Value)> {
    let url = format!("{}/api{path}", server.origin());
    let request = reqwest::Client::new().get(url).bearer_auth(TOKEN).header("last-event-id", seen);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut text, mut seen) = (String::new(), Vec::new());
    let mut pieces = response.bytes_stream();
    let read = async {
        while let Some(piece) = pieces.next().await {
            text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let (Some(kind), Some(data)) = (field("event: "), field("data: ")) {
                    let data: Value = serde_json::from_str(&data).unwrap();
                    let over = last(&kind, &data);
                    seen.push((kind, data));
                    if over {
                        return;
                    }
                }
                text = rest.to_owned();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("the stream tells the last event");
    seen
}

#[tokio::test]
async fn a_deploy_is_followed_to_its_end() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let (_, version) = api.app("Stream", &[("index.html", "x")]).await;
    let deploy = api.deploy(&api.build(&version).await).await;
    let seen = until(&server, &format!("/deploys/{}/stream", id(&deploy)), |kind, _| kind == "end").await;
    let (_, told) = &seen[seen.len() - 2];
    assert_eq!(*told, deploy, "the last that is told is what is answered");
    let unknown = api.get("/deploys/dep_unknown/stream").await;
    unknown.refused(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_tells_what_happens_in_it() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let workspace = id(&api.get("/workspaces").await.ok()["data"][0]);
    let path = format!("/workspaces/{workspace}/stream");
    let making = async {
        // Until the stream has looked for the first time, nothing is told: so something happens again and again.
        for n in 0..200 {
            api.post("/apps", json!({ "name": format!("App {n}") })).await.made();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let hearing = until(&server, &path, |_, event| event["type"] == "app.created");
    tokio::select! {
        seen = hearing => {
            let (kind, event) = seen.last().unwrap();
            assert_eq!((kind.as_str(), &event["workspaceId"]), ("event", &json!(workspace)));
            assert_eq!(api.get(&format!("/events/{}", id(event))).await.ok(), *event);
        }
        () = making => panic!("nothing was told"),
    }
}

#[tokio::test]
async fn a_workspace_goes_on_behind_the_event_that_was_seen_last() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let workspace = id(&api.get("/workspaces").await.ok()["data"][0]);
    let make = async |name: &str| id(&api.post("/apps", json!({ "name": name })).await.made());
    make("One").await;
    let seen = api.get(&format!("/events?workspace_id={workspace}&limit=1")).await.ok();
    let cursor = seen["pageInfo"]["endCursor"].as_str().unwrap();
    let (two, three) = (make("Two").await, make("Three").await);
    let path = format!("/workspaces/{workspace}/stream");
    let told = behind(&server, &path, cursor, |_, event| event["subjectId"] == json!(three)).await;
    let apps: Vec<&Value> = told.iter().map(|(_, event)| &event["subjectId"]).collect();
    assert_eq!(apps, [&json!(two), &json!(three)]);
    let strange = [("last-event-id", "nonsense")];
    let refused = api.call(reqwest::Method::GET, &path, None, &strange).await;
    assert_eq!(refused.refused(400), "Last-Event-ID");
}

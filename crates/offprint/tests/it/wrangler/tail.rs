//! `wrangler pages deployment tail`: what Functions say while they run.

use serde_json::{Value, json};

use crate::cli::Running;
use crate::functions::tail::{ask, newest, talking, until_watched, url_of};
use crate::functions::{HOST, eventually};
use crate::support::{Release, TestServer};

/// The project `demo` with a Function that talks; its deployment.
async fn deployed(server: &TestServer) -> String {
    let api = server.api();
    api.create_project("demo").await;
    talking().deploy(&api, "demo").await;
    newest(&api).await
}

/// The events that wrangler has printed as JSON, one after another.
fn events(watcher: &Running) -> Vec<Value> {
    let text = watcher.out();
    let stream = serde_json::Deserializer::from_str(&text).into_iter();
    stream.map_while(Result::ok).collect()
}

async fn events_are_shown_as_json_and_for_people_to_all_who_watch(release: Release) {
    let Some(server) = TestServer::with_functions(&[]).await else { return };
    let (wrangler, id) = (wrangler!(release, server), deployed(&server).await);
    let tail = ["pages", "deployment", "tail", &id, "--project-name", "demo", "--format"];
    let mut as_json = wrangler.start(&[&tail[..], &["json"]].concat());
    let mut pretty = wrangler.start(&[&tail[..], &["pretty"]].concat());
    pretty.line_with("waiting for logs").await;
    until_watched(&server, &as_json, "GET", "/warm-up", &[]).await;
    assert_eq!(ask(&server, "GET", "/boom?x=1", &[("authorization", "Bearer secret")]).await, 500);
    pretty.line_with("/boom?x=1 - Exception Thrown @").await;
    pretty.line_with("(log) asked for /boom { a: [ 1 ] }").await;
    pretty.line_with("(error) as an error").await;
    eventually("the exception is shown", async || pretty.err().contains("TypeError: kaputt")).await;
    eventually("the event is there", async || {
        events(&as_json).iter().any(|event| url_of(event).ends_with("/boom?x=1"))
    })
    .await;
    let all = events(&as_json);
    let event = all.iter().find(|event| url_of(event).ends_with("/boom?x=1")).unwrap();
    assert_eq!(
        (&event["outcome"], &event["event"]["request"]["method"]),
        (&json!("exception"), &json!("GET"))
    );
    assert_eq!(
        (&event["exceptions"][0]["name"], &event["exceptions"][0]["message"]),
        (&json!("TypeError"), &json!("kaputt"))
    );
    assert!(event["exceptions"][0]["stack"].as_str().unwrap().contains("at "), "{event}");
    assert_eq!(event["logs"][0]["message"], json!(["asked for", "/boom", { "a": [1] }]));
    assert!(event["scriptName"].as_str().unwrap().starts_with("pages-worker--demo-"));
    let headers = event["event"]["request"]["headers"].as_object().unwrap();
    assert_eq!(
        (&headers["authorization"], &headers["cf-connecting-ip"]),
        (&json!("REDACTED"), &json!("127.0.0.1"))
    );
    assert!(!headers.contains_key("offprint-tail"), "{headers:?}");
    let fine = all.iter().find(|event| url_of(event).ends_with("/warm-up")).unwrap();
    assert_eq!((&fine["outcome"], &fine["event"]["response"]["status"]), (&json!("ok"), &json!(200)));

    for watcher in [&mut as_json, &mut pretty] {
        watcher.signal("INT");
        watcher.gone().await;
    }
    eventually("a Function sees nothing of watchers that have gone", async || {
        server.page(HOST, "/").await == "fine "
    })
    .await;
}

async fn filters_are_applied_by_the_server(release: Release) {
    let Some(server) = TestServer::with_functions(&[]).await else { return };
    let (wrangler, id) = (wrangler!(release, server), deployed(&server).await);
    let filters = [
        "--status",
        "error",
        "--method",
        "POST",
        "--header",
        "X-Want:yes",
        "--ip",
        "self",
        "--search",
        "asked for /boom",
        "--sampling-rate",
        "0.99",
    ];
    let watcher = wrangler.start(
        &[&["pages", "deployment", "tail", &id, "--project-name", "demo", "--format", "json"][..], &filters]
            .concat(),
    );
    let wanted = [("x-want", "surely yes")];
    for round in 0.. {
        for (method, path, headers) in [
            ("POST", "/fine-and-so-filtered", &wanted[..]),
            ("PUT", "/boom-method-filtered", &wanted),
            ("POST", "/boom-header-filtered", &[]),
            ("POST", "/boom-value-filtered", &[("x-want", "no")]),
            ("POST", "/boom-wanted", &wanted),
        ] {
            ask(&server, method, path, headers).await;
        }
        let shown = events(&watcher);
        if shown.len() >= 3 {
            assert!(shown.iter().all(|event| url_of(event).ends_with("/boom-wanted")), "{}", watcher.out());
            return;
        }
        assert!(round < 600, "nothing is shown: {}", watcher.err());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

each_release! {
    events_are_shown_as_json_and_for_people_to_all_who_watch
    filters_are_applied_by_the_server
}

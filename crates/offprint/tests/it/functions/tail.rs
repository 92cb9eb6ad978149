//! What Functions say, watched by our own command, and what failed lately.

use serde_json::Value;

use super::{HOST, deployed, eventually, functions, metric, worker};
use crate::cli::{Running, Shell};
use crate::support::{Api, Site, TestServer, client, project};

/// Logs what it is asked, and throws at `/boom`.
pub(crate) fn talking() -> Site {
    worker(
        "export default { async fetch(request) {
            const { pathname } = new URL(request.url);
            console.log('asked for', pathname, { a: [1] }); console.error('as an error');
            if (pathname.startsWith('/boom')) throw new TypeError('kaputt');
            return new Response('fine ' + (request.headers.get('offprint-tail') ?? ''));
        } };",
    )
}

pub(crate) async fn ask(server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let request =
        client().build().unwrap().request(method.parse().unwrap(), format!("{}{path}", server.origin()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.header("host", HOST).send().await.unwrap().status().as_u16()
}

/// The newest deployment of `demo`.
pub(crate) async fn newest(api: &Api) -> String {
    let listed = api.get(&project("demo", "/deployments")).ok().await;
    listed[0]["id"].as_str().unwrap().to_owned()
}

/// Asks until a watcher has shown it: only then it is known to watch.
pub(crate) async fn until_watched(
    server: &TestServer,
    watcher: &Running,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) {
    eventually(&format!("{path} is shown"), async || {
        ask(server, method, path, headers).await;
        watcher.out().contains(path)
    })
    .await;
}

pub(crate) fn url_of(event: &Value) -> &str {
    event["event"]["request"]["url"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn our_own_command_watches_until_it_is_interrupted() {
    let server = functions!();
    let api = deployed(&server, &talking()).await;
    let id = newest(&api).await;
    let shell = Shell::at(&server);
    let mut watcher =
        shell.start(&["deployment", "tail", &id[..8], "--project", "demo", "--status", "error"]);
    until_watched(&server, &watcher, "GET", "/boom", &[]).await;
    ask(&server, "GET", "/fine", &[]).await;
    watcher.line_with("(log) asked for /boom {\"a\":[1]}").await;
    watcher.line_with("TypeError: kaputt").await;
    watcher.stop().await;
    assert!(!watcher.out().contains("/fine"), "{}", watcher.out());
    // Nobody watches any more: a Function sees nothing of it.
    eventually("nobody watches", async || server.page(HOST, "/").await == "fine ").await;
    shell
        .fails(&["deployment", "tail", &id, "--project", "demo", "--sampling-rate", "2"])
        .await
        .says("sampling_rate");
}

#[tokio::test]
async fn recent_failures_are_kept_beyond_the_process_in_which_they_happened() {
    let server = functions!(&[("OFFPRINT_FUNCTIONS_IDLE", "1")]);
    let api = deployed(&server, &talking()).await;
    let (shell, id) = (Shell::at(&server), newest(&api).await);
    let nothing = shell.run(&["deployment", "exceptions", &id, "--project", "demo"]).await;
    assert_eq!(nothing.says("Nothing of the kind").out, "");
    ask(&server, "GET", "/fine", &[]).await;
    let path = project("demo", &format!("/deployments/{id}/exceptions"));
    let kept = async |count: usize| {
        eventually("it is kept", async || api.get(&path).ok().await.as_array().unwrap().len() == count).await;
    };
    ask(&server, "GET", "/boom/1", &[]).await;
    kept(1).await;
    ask(&server, "POST", "/boom/2", &[("x-a", "b")]).await;
    kept(2).await;
    eventually("the process has stopped", async || {
        metric(&server, "offprint_function_processes").await == 0.0
    })
    .await;
    let list = async |more: &[&str]| {
        shell.run(&[&["deployment", "exceptions", &id, "--project", "demo"], more].concat()).await
    };
    let said = list(&[]).await;
    said.says("TypeError: kaputt").says("exception GET").says("(error) as an error");
    assert!(said.out.find("/boom/1") < said.out.find("/boom/2"), "{}", said.out);
    for (more, expected) in [
        (&["--method", "POST"][..], "/boom/2"),
        (&["--limit", "1"], "/boom/2"),
        (&["--search", "asked for /boom/1"], "/boom/1"),
        (&["--header", "x-a:b"], "/boom/2"),
    ] {
        let json = list(&[more, &["--json"]].concat()).await.json();
        assert_eq!(json.as_array().unwrap().len(), 1, "{more:?}");
        assert!(url_of(&json[0]).ends_with(expected), "{more:?}: {json}");
    }
}

/// Their processes are not there any more to tell of them.
#[tokio::test]
async fn calls_that_are_ended_are_told_of() {
    let server = functions!(&[("OFFPRINT_FUNCTIONS_COMPUTE_TIMEOUT", "1")]);
    let harmful = "export default { async fetch(request) {
        const { pathname } = new URL(request.url);
        const all = [];
        if (pathname === '/loop') for (;;);
        if (pathname === '/memory') for (;;) all.push(new Uint8Array(16 << 20).fill(1));
        const pull = async (out) => {
            out.enqueue(new Uint8Array(10));
            await new Promise((resolve) => setTimeout(resolve, 200));
            if (all.push(0) > 2) for (;;);
        };
        return new Response(pathname === '/late' ? new ReadableStream({ pull }) : 'fine');
    } };";
    let api = deployed(&server, &worker(harmful)).await;
    let (shell, id) = (Shell::at(&server), newest(&api).await);
    let mut watcher = shell.start(&["deployment", "tail", &id, "--project", "demo"]);
    until_watched(&server, &watcher, "GET", "/fine", &[]).await;
    assert_eq!(ask(&server, "POST", "/loop", &[("authorization", "a word")]).await, 503);
    watcher.line_with("exceededCpu POST").await;
    watcher.stop().await;
    ask(&server, "GET", "/memory", &[]).await;
    let late = server.site(HOST, "/late").await.bytes().await;
    assert!(late.is_err(), "it ends in the middle");
    let path = project("demo", &format!("/deployments/{id}/exceptions"));
    let kept = async |path_of_call: &str| {
        let kept = api.get(&path).ok().await;
        kept.as_array().unwrap().iter().find(|event| url_of(event).ends_with(path_of_call)).cloned()
    };
    eventually("all are kept", async || {
        kept("/loop").await.is_some() && kept("/memory").await.is_some() && kept("/late").await.is_some()
    })
    .await;
    let (event, memory, late) =
        (kept("/loop").await.unwrap(), kept("/memory").await.unwrap(), kept("/late").await.unwrap());
    let request = &event["event"]["request"];
    assert_eq!((&request["method"], &request["cf"]["colo"]), (&"POST".into(), &"OFF".into()));
    assert_eq!(request["headers"]["authorization"], "REDACTED");
    assert_eq!(event["exceptions"][0]["message"], "Worker exceeded CPU time limit.");
    let outcome = |event: &Value| (event["outcome"].clone(), event["event"]["response"]["status"].clone());
    assert_eq!(outcome(&event), ("exceededCpu".into(), 503.into()));
    assert_eq!(outcome(&memory), ("exceededMemory".into(), 503.into()));
    assert_eq!(outcome(&late), ("exceededCpu".into(), 200.into()));
}

/// A Function that fails without end costs a bounded number of posts, and says what it left out.
#[tokio::test]
async fn a_storm_of_failures_is_bounded() {
    let server = functions!();
    let api = deployed(&server, &talking()).await;
    let path = project("demo", &format!("/deployments/{}/exceptions", newest(&api).await));
    for _ in 0..150 {
        ask(&server, "GET", "/boom", &[]).await;
    }
    eventually("some are kept", async || !api.get(&path).ok().await.as_array().unwrap().is_empty()).await;
    assert!(api.get(&path).ok().await.as_array().unwrap().len() <= 100);
}

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

//! Several things at once: whatever happens, a reader sees one whole deployment.
//!
//! Each generation of the test's site says its number in three places that come from three files: the page,
//! a header rule and a redirect. An answer made of two generations cannot agree with itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use offprint_wire::error_code::ErrorCode;
use serde_json::{Value, json};

use crate::support::{Api, Site, TestServer, project, projects, went_live};

const HOST: &str = "demo.pages.localhost";

fn generation(n: usize) -> Site {
    Site::page(&n.to_string())
        .asset("/large.txt", format!("{n}\n").repeat(100_000))
        .file("_headers", format!("/*\n  X-Generation: {n}\n"))
        .file("_redirects", format!("/go /to-{n} 302\n"))
}

async fn server_with_demo() -> (Arc<TestServer>, Api) {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    (Arc::new(server), api)
}

/// One look at the site: the generation it showed.
async fn look(server: &TestServer, path: &str) -> usize {
    let response = server.site(HOST, path).await;
    assert!([200, 302].contains(&response.status().as_u16()), "{path}: {}", response.status());
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    if path == "/go" {
        return header("location").unwrap().trim_start_matches("/to-").parse().unwrap();
    }
    let told: usize = header("x-generation").unwrap().parse().unwrap();
    let body = response.text().await.unwrap();
    let lines = if path == "/" { 1 } else { 100_000 };
    assert_eq!(body.trim_end().lines().count(), lines, "a whole body");
    assert!(body.trim_end().lines().all(|line| line == told.to_string()), "{path}: body and header agree");
    told
}

/// Readers that look until they are told to stop; what each saw, in order.
struct Readers {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Vec<usize>>>,
}

impl Readers {
    fn start(server: &Arc<TestServer>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let reader = |path: &'static str| {
            let (server, stop) = (Arc::clone(server), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    seen.push(look(&server, path).await);
                }
                seen
            })
        };
        let tasks = ["/", "/large.txt", "/go"].map(reader).into();
        Self { stop, tasks }
    }

    async fn finish(self) -> Vec<Vec<usize>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut seen = Vec::new();
        for task in self.tasks {
            seen.push(task.await.unwrap());
        }
        seen
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_each_deployment_whole_and_never_go_back() {
    let (server, api) = server_with_demo().await;
    generation(0).deploy(&api, "demo").await;
    let readers = Readers::start(&server);
    for n in 1..15 {
        generation(n).deploy(&api, "demo").await;
    }
    for seen in readers.finish().await {
        assert!(seen.len() > 10 && seen.is_sorted(), "{seen:?}");
    }
    assert_eq!(look(&server, "/").await, 14);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_deploys_at_once_one_wins_everywhere() {
    let (server, api) = server_with_demo().await;
    generation(0).deploy(&api, "demo").await;
    let readers = Readers::start(&server);
    for round in 0..6 {
        let (one, two) = (generation(round * 2 + 1), generation(round * 2 + 2));
        tokio::join!(one.deploy(&api, "demo"), two.deploy(&api, "demo"));
        agree(&server, &api).await;
    }
    readers.finish().await;
}

/// Waits until the edge shows what the API says is live: the newest successful deployment.
async fn agree(server: &TestServer, api: &Api) {
    let newest = api.get(&project("demo", "/deployments?env=production&per_page=1")).ok().await;
    let settings = api.get(&project("demo", "")).ok().await;
    assert_eq!(settings["canonical_deployment"]["id"], newest[0]["id"], "the newest is the live one");
    let url = newest[0]["url"].as_str().unwrap();
    let expected = server.site_at(url, "/").await.text().await.unwrap();
    server.shows(HOST, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_while_deploying_leaves_one_of_the_two() {
    let (server, api) = server_with_demo().await;
    let first = generation(0).deploy(&api, "demo").await;
    let rollback = project("demo", &format!("/deployments/{}/rollback", first["id"].as_str().unwrap()));
    let readers = Readers::start(&server);
    for n in 1..10 {
        let site = generation(n);
        site.upload(&api, "demo").await;
        let deploy = async {
            let created = site.post(&api, "demo").await.ok();
            went_live(&api, "demo", &created, "/").await
        };
        let (deployed, back) = tokio::join!(deploy, async { api.post(&rollback).ok().await });
        assert_eq!(back["id"], first["id"]);
        let live = api.get(&project("demo", "")).ok().await["canonical_deployment"]["id"].take();
        assert!(live == first["id"] || live == deployed["id"], "{live}");
        let expected = if live == first["id"] { 0 } else { n };
        server.shows(HOST, &expected.to_string()).await;
    }
    readers.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_deleted_while_it_is_read_is_whole_until_it_is_gone() {
    let (server, api) = server_with_demo().await;
    let large = "deleted while serving\n".repeat(200_000);
    let old = Site::page("old").asset("/large.txt", &large).deploy(&api, "demo").await;
    Site::page("new").deploy(&api, "demo").await;
    let url = old["url"].as_str().unwrap().to_owned();
    let reader = tokio::spawn({
        let server = Arc::clone(&server);
        async move {
            let mut whole = 0;
            loop {
                let response = server.site_at(&url, "/large.txt").await;
                match response.status().as_u16() {
                    200 => assert!(response.text().await.unwrap() == large, "a body that has begun is whole"),
                    410 => return whole,
                    other => panic!("{other} from a deployment that is being deleted"),
                }
                whole += 1;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let path = project("demo", &format!("/deployments/{}", old["id"].as_str().unwrap()));
    api.delete(&path).ok().await;
    let whole = tokio::time::timeout(Duration::from_secs(30), reader).await.unwrap().unwrap();
    assert!(whole > 0, "it was read before it was deleted");
    assert_eq!(server.page(HOST, "/").await, "new");
}

#[tokio::test]
async fn of_projects_made_at_once_with_one_name_one_is_made() {
    let server = TestServer::start().await;
    let api = server.api();
    let body = json!({ "name": "demo", "production_branch": "main" });
    let create = || async { api.post(&projects()).json(&body).send().await };
    let answers = [
        tokio::join!(create(), create(), create(), create()),
        tokio::join!(create(), create(), create(), create()),
    ];
    let mut made = 0;
    for (a, b, c, d) in answers {
        for answer in [a, b, c, d] {
            if answer.status == 200 {
                made += 1;
            } else {
                answer.refused(ErrorCode::ProjectExists);
            }
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn patches_at_once_are_all_kept() {
    let (_server, api) = server_with_demo().await;
    let put = |n: usize| {
        let variable = json!({ format!("VAR_{n}"): { "type": "plain_text", "value": n.to_string() } });
        let body = json!({ "deployment_configs": { "production": { "env_vars": variable } } });
        let call = api.patch(&project("demo", "")).json(&body);
        async move { call.ok().await }
    };
    let puts = (0..12).map(put);
    futures_util::future::join_all(puts).await;
    let settings: Value = api.get(&project("demo", "")).ok().await;
    let variables = settings["deployment_configs"]["production"]["env_vars"].as_object().unwrap();
    assert_eq!(variables.len(), 12, "{variables:?}");
}

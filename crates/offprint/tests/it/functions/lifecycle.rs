//! Processes come and go with what they are for, and a server without any says so.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{HOST, answering, configure, deployed, eventually, functions, log_of, worker};
use crate::support::{Site, TestServer, project};

/// The processes of workerd whose command line or directory is below this one.
fn processes_in(directory: &Path) -> Vec<u32> {
    let directory = directory.to_str().unwrap();
    let is_ours = |pid: &u32| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let line = String::from_utf8_lossy(&read("cmdline")).into_owned();
        let works_in = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        line.contains("workerd") && (line.contains(directory) || works_in.starts_with(directory))
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_ours).collect()
}

/// All that descends from a process.
fn descendants(pid: u32) -> Vec<u32> {
    let children = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = children.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|line| line.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.iter().flat_map(|child| [vec![*child], descendants(*child)].concat()).collect()
}

fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_killed_server_leaves_no_process_and_the_next_one_answers() {
    let server = functions!();
    deployed(&server, &answering("return new Response('fine')")).await;
    assert_eq!(server.page(HOST, "/").await, "fine");
    let started = descendants(server.pid());
    assert!(!started.is_empty());
    let data = server.data();
    let server = server.crash_and_restart();
    eventually("all processes are gone", async || !started.iter().any(|pid| is_alive(*pid))).await;
    assert_eq!(processes_in(&data), Vec::<u32>::new());
    assert_eq!(server.page(HOST, "/").await, "fine");
}

#[tokio::test]
async fn a_server_that_stops_takes_its_processes_along() {
    let mut server = functions!();
    deployed(&server, &answering("return new Response('fine')")).await;
    assert_eq!(server.page(HOST, "/").await, "fine");
    let started = descendants(server.pid());
    assert!(!started.is_empty());
    server.ask_to_stop();
    assert!(server.stopped().await, "{}", server.log());
    assert!(!started.iter().any(|pid| is_alive(*pid)));
}

#[tokio::test]
async fn a_second_server_on_the_same_data_leaves_the_functions_of_the_first_alone() {
    let first = functions!();
    let answers = answering("return new Response((await env.ASSETS.fetch(request)).body)");
    deployed(&first, &answers).await;
    assert_eq!(first.page(HOST, "/").await, "static");
    let second = first.beside();
    assert_eq!(second.page(HOST, "/").await, "static");
    assert_eq!(first.page(HOST, "/").await, "static");
    drop(second);
    assert_eq!(first.page(HOST, "/").await, "static");
    let third = first.beside();
    assert_eq!(third.page(HOST, "/").await, "static");
    let left = fs::read_dir(first.data().join("functions")).unwrap().count();
    assert_eq!(left, 2, "what the second has left is gone");
}

#[tokio::test]
async fn the_processes_of_a_deleted_project_end() {
    let server = functions!();
    let api = deployed(&server, &answering("return new Response('fine')")).await;
    assert_eq!(server.page(HOST, "/").await, "fine");
    api.delete(&project("demo", "")).ok().await;
    let processes = "offprint_function_processes";
    eventually("the process is gone", async || super::metric(&server, processes).await == 0.0).await;
    server.answers(HOST, 404).await;
}

#[tokio::test]
async fn a_server_without_a_runtime_serves_assets_and_says_what_is_missing() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    let site = worker("export default { fetch: () => new Response('fine') }").asset("/404.html", "missing");
    let deployment = site.deploy(&api, "demo").await;
    let log = log_of(&api, &deployment).await;
    assert!(log.contains("Warning: This deployment has Functions"), "{log}");
    // The project fails open, as projects do unless they say otherwise.
    assert_eq!(server.page(HOST, "/").await, "static");
    let missing = server.site(HOST, "/api/hello").await;
    assert_eq!(missing.status(), 501);
    assert!(missing.text().await.unwrap().contains("Functions do not run here"));

    configure(&api, "production", &json!({ "fail_open": false })).await;
    site.deploy(&api, "demo").await;
    server.answers(HOST, 501).await;
    assert_eq!(server.site(HOST, "/api/hello").await.status(), 501);
}

#[tokio::test]
async fn a_server_that_is_to_run_functions_and_cannot_does_not_start() {
    let shell = crate::cli::Shell::new();
    shell.home.write("workerd", "#!/bin/sh\necho this is no workerd\n");
    let said = shell
        .fails(&["serve", "--listen", "127.0.0.1:0", "--functions", "workerd", "--workerd", "workerd"])
        .await;
    said.says("--functions off");
}

#[tokio::test]
async fn many_versions_share_the_processes_there_may_be() {
    let server = functions!(&[("OFFPRINT_FUNCTIONS_PROCESSES", "2")]);
    let api = server.api();
    api.create_project("demo").await;
    let mut urls = Vec::new();
    for n in 0..5 {
        let site = answering(&format!("return new Response('number {n}')")).branch("feature");
        urls.push(site.deploy(&api, "demo").await["url"].as_str().unwrap().to_owned());
    }
    for _ in 0..2 {
        for (n, url) in urls.iter().enumerate() {
            assert_eq!(server.site_at(url, "/").await.text().await.unwrap(), format!("number {n}"));
            assert!(super::metric(&server, "offprint_function_processes").await <= 2.0);
        }
    }
}

#[tokio::test]
async fn a_static_deployment_is_not_kept_by_functions_that_do_not_start() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    let endless = worker("for (;;) {} export default {}");
    let waiting = [endless.start(&api, "demo").await, endless.branch("other").start(&api, "demo").await];
    Site::page("quick").branch("static").deploy(&api, "demo").await;
    // They have ten seconds.
    for deployment in &waiting {
        let path = format!("/deployments/{}", deployment["id"].as_str().unwrap());
        let stage = api.get(&project("demo", &path)).ok().await["latest_stage"].clone();
        assert_eq!(stage["status"], "active", "the static one has waited: {stage}");
    }
}

//! Builds of versions that have something to run: the same build as one from git, with the version's files in place of the
//! clone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::builds::functions::{BUILD, SITE, ground as functions_ground};
use crate::builds::{Ground, no_process_with, page, processes_with};
use crate::support::{Deploys, TestServer, id, project, testdata};

/// How often a step is looked at until it has come so far: one minute.
const LOOKS: usize = 1200;
const PAUSE: Duration = Duration::from_millis(50);

impl Ground {
    /// An app that is built as `config` says, and a version with these files; the ids of both.
    async fn app(&self, name: &str, config: Value, files: &[(&str, &str)]) -> (String, String) {
        let api = self.server.deploys().await;
        let (app, version) = api.app(name, files).await;
        api.patch(&format!("/apps/{app}"), json!({ "config": config })).await.ok();
        (app, version)
    }
}

/// Asks for a build; its path.
async fn begin(api: &Deploys, version: &str) -> String {
    format!("/builds/{}", id(&api.post("/builds", json!({ "appVersionId": version })).await.made()))
}

/// A step of a build.
fn step<'a>(build: &'a Value, name: &str) -> &'a Value {
    let steps = build["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no {name} in {build}"))
}

fn statuses(build: &Value) -> Vec<(&str, &str)> {
    let steps = build["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["name"].as_str().unwrap(), step["status"].as_str().unwrap())).collect()
}

fn log<'a>(build: &'a Value, name: &str) -> &'a str {
    step(build, name)["log"].as_str().unwrap_or_default()
}

/// Waits until a step of a build that runs has said something; the build at that moment.
async fn says(api: &Deploys, path: &str, name: &str, text: &str) -> Value {
    for _ in 0..LOOKS {
        let build = api.get(path).await.ok();
        if log(&build, name).contains(text) {
            return build;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{name} does not say {text}: {}", api.get(path).await.ok());
}

const SCRIPT: &str = r#"
import { mkdirSync, writeFileSync } from "node:fs";
const { CI, CF_PAGES, CF_PAGES_BRANCH, CF_PAGES_COMMIT_SHA, CF_PAGES_URL, GREETING, PASSWORD } = process.env;
console.log(`the password is ${PASSWORD}`);
mkdirSync("dist/sub", { recursive: true });
const told = [CI, CF_PAGES, CF_PAGES_BRANCH, CF_PAGES_COMMIT_SHA, CF_PAGES_URL, GREETING, PASSWORD.length];
writeFileSync("dist/index.html", told.join(" "));
writeFileSync("dist/_headers", "/*\n  x-built: yes\n");
writeFileSync("dist/_redirects", "/old /sub/new 302\n");
writeFileSync("dist/sub/new.html", "new");
"#;

#[tokio::test]
async fn a_version_is_built_by_its_command_with_what_its_app_sets() {
    let Some(ground) = Ground::start().await else { return };
    let config = json!({
        "buildCommand": "node build.mjs", "outputDirectory": "dist", "rootDirectory": "site",
        "nodeVersion": "1.2.3", "env": { "GREETING": "hello" },
    });
    let files = [("site/build.mjs", SCRIPT), ("site/package.json", "{}"), ("index.html", "not this one")];
    let (app, version) = ground.app("Built", config, &files).await;
    let secret = json!({ "PASSWORD": { "type": "secret_text", "value": "swordfish-9" } });
    let secret = json!({ "deployment_configs": { "production": { "env_vars": secret } } });
    ground.api.patch(&project("built", "")).json(&secret).ok().await;

    let api = ground.server.deploys().await;
    let built = api.ended(&begin(&api, &version).await).await;
    assert_eq!(built["status"], "completed", "{built}");
    assert_eq!(statuses(&built), [("collect", "completed"), ("build", "completed"), ("store", "completed")]);
    for step in built["steps"].as_array().unwrap() {
        assert!(step["startedAt"].is_string() && step["completedAt"].is_string(), "{step}");
    }
    assert!(log(&built, "collect").contains("Wrote 3 files."), "{built}");
    let said = log(&built, "build");
    for line in ["Running the build command: node build.mjs", "NODE_VERSION asks for", "the password is ***"]
    {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert!(!built.to_string().contains("swordfish"), "{built}");
    assert!(log(&built, "store").contains("Stored 2 of 2 assets"), "{built}");

    api.deploy(&id(&built)).await;
    let host = "built.pages.localhost";
    assert_eq!(ground.server.page(host, "/").await, "true 1 main   hello 11");
    assert_eq!(ground.server.site(host, "/").await.headers()["x-built"], "yes");
    assert_eq!(ground.server.site(host, "/old").await.headers()["location"], "/sub/new");
    assert_eq!(api.get(&format!("/apps/{app}")).await.ok()["defaultVersionId"], json!(version));
}

#[tokio::test]
async fn dependencies_are_installed_and_functions_compiled() {
    let Some(ground) = functions_ground(&[]).await else { return };
    let config = json!({ "buildCommand": BUILD, "outputDirectory": "dist" });
    let mut files: Vec<(&str, String)> =
        SITE.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
    for name in ["package.json", "package-lock.json"] {
        files.push((name, std::fs::read_to_string(testdata("builds/npm-site").join(name)).unwrap()));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (_, version) = ground.app("Functions", config, &files).await;
    let api = ground.server.deploys().await;
    let built = api.ended(&begin(&api, &version).await).await;
    assert_eq!(built["status"], "completed", "{built}");
    let said = log(&built, "build");
    assert!(said.contains("npm ci") && said.contains("Compiling functions/ with wrangler"), "{said}");
    api.deploy(&id(&built)).await;
    let host = "functions.pages.localhost";
    assert_eq!(ground.server.page(host, "/api/hello/you").await, "hello you ");
    assert_eq!(ground.server.site(host, "/").await.headers()["x-static"], "yes");

    // Without a command, Functions alone are reason enough for a builder; a Worker of several modules is, too.
    let api_file = ("functions/api.js", "export const onRequest = () => new Response('alone');");
    let modules = [
        (
            "_worker.js/index.js",
            "import { a } from './a.js'; export default { fetch: () => new Response(a) };",
        ),
        ("_worker.js/a.js", "export const a = 'modules';"),
    ];
    for (name, path, files, text) in [
        ("Alone", "/api", vec![("index.html", "static"), api_file], "alone"),
        ("Modules", "/any", [&[("index.html", "static")], &modules[..]].concat(), "modules"),
    ] {
        let (_, version) = ground.app(name, json!({}), &files).await;
        api.deploy(&api.build(&version).await).await;
        let host = format!("{}.pages.localhost", name.to_lowercase());
        assert_eq!(ground.server.page(&host, path).await, text);
    }
}

#[tokio::test]
async fn a_command_that_fails_says_why_and_stores_nothing() {
    let Some(ground) = Ground::start().await else { return };
    let config =
        json!({ "buildCommand": "echo the reason >&2; mkdir dist; echo half > dist/index.html; exit 3" });
    let (_, version) = ground.app("Fails", config, &[("index.html", "source")]).await;
    let api = ground.server.deploys().await;
    let failed = api.ended(&begin(&api, &version).await).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    assert!(
        failed["error"].as_str().unwrap().contains("The build command ended with exit code 3"),
        "{failed}"
    );
    assert_eq!(statuses(&failed), [("collect", "completed"), ("build", "failed"), ("store", "skipped")]);
    assert!(log(&failed, "build").contains("the reason"), "{failed}");
    api.post("/deploys", json!({ "buildId": failed["id"] })).await.refused(422);

    // What the site is not told to be is found out as in builds from git.
    let (_, version) =
        ground.app("Hugo", json!({}), &[("hugo.toml", "title = 'x'"), ("index.html", "x")]).await;
    let known = api.ended(&begin(&api, &version).await).await;
    assert!(log(&known, "build").contains("it looks like Hugo: building with `hugo`"), "{known}");
    let config = json!({ "buildCommand": "true", "outputDirectory": "out" });
    let (_, version) = ground.app("Nowhere", config, &[("index.html", "x")]).await;
    let nowhere = api.ended(&begin(&api, &version).await).await;
    let error = nowhere["error"].as_str().unwrap();
    assert!(error.contains("The version has: index.html. Set outputDirectory to where"), "{error}");
    nothing_is_left(&ground).await;
}

/// The work directories that are there.
fn left(ground: &Ground) -> Vec<String> {
    let entries = std::fs::read_dir(ground.server.data().join("builds")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Waits until no work directory is there: they go when the build has ended.
async fn nothing_is_left(ground: &Ground) {
    for _ in 0..LOOKS {
        if left(ground).is_empty() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("left behind: {:?}", left(ground));
}

#[tokio::test]
async fn a_build_is_followed_while_it_runs_and_dies_when_it_is_cancelled() {
    let Some(ground) = Ground::start().await else { return };
    let command = |number: &str| format!("echo begun; (sleep {number} &) ; {}", ground.git.gate());
    let api = ground.server.deploys().await;
    let (_, version) =
        ground.app("Cancelled", json!({ "buildCommand": command("8651.5") }), &[("a", "a")]).await;
    let path = begin(&api, &version).await;
    let running = says(&api, &path, "build", "begun").await;
    assert_eq!(running["status"], "running");
    assert_eq!(statuses(&running), [("collect", "completed"), ("build", "running"), ("store", "pending")]);
    assert!(
        step(&running, "build")["startedAt"].is_string() && step(&running, "build")["completedAt"].is_null()
    );
    ground.git.comes_to_gate(1).await;
    assert!(!processes_with("sleep 8651.5").is_empty(), "the build runs");
    api.post(&format!("{path}/cancel"), json!({ "reason": "enough" })).await.ok();
    no_process_with("sleep 8651.5").await;
    let cancelled = api.get(&path).await.ok();
    assert_eq!(
        (&cancelled["status"], &cancelled["error"]),
        (&json!("cancelled"), &json!("Canceled: enough"))
    );
    assert_eq!(statuses(&cancelled), [("collect", "completed"), ("build", "skipped"), ("store", "skipped")]);
    api.post("/deploys", json!({ "buildId": cancelled["id"] })).await.refused(422);

    // An app that is deleted takes its builds along.
    let config = json!({ "buildCommand": command("8652.5") });
    let (app, version) = ground.app("Deleted", config, &[("a", "a")]).await;
    let path = begin(&api, &version).await;
    ground.git.comes_to_gate(2).await;
    assert!(!processes_with("sleep 8652.5").is_empty(), "the build runs");
    api.delete(&format!("/apps/{app}")).await.ok();
    no_process_with("sleep 8652.5").await;
    api.post(&format!("/apps/{app}/restore"), json!({})).await.ok();
    assert_eq!(api.get(&path).await.ok()["status"], "cancelled");

    // The worker is free again, and what was cancelled stays so.
    ground.git.open_gate();
    let (_, version) = ground.app("Next", json!({ "buildCommand": command("0.1") }), &[("a", "a")]).await;
    api.build(&version).await;
    assert_eq!(api.get(&path).await.ok()["status"], "cancelled");
    nothing_is_left(&ground).await;
}

#[tokio::test]
async fn a_server_that_is_killed_or_stopped_leaves_a_build_that_the_next_one_makes() {
    let Some(mut ground) = Ground::start().await else { return };
    let command = format!("(sleep 8653.5 &) ; {} && mkdir dist && cp index.html dist", ground.git.gate());
    let config = json!({ "buildCommand": command, "outputDirectory": "dist" });
    let (_, version) = ground.app("Survives", config, &[("index.html", "page")]).await;
    let path = begin(&ground.server.deploys().await, &version).await;
    ground.git.comes_to_gate(1).await;
    ground.server = ground.server.crash_and_restart();
    ground.git.comes_to_gate(2).await;
    assert_eq!(left(&ground).len(), 1, "what the killed one has left is gone");

    ground.server.ask_to_stop();
    assert!(ground.server.stopped().await, "it does not wait for builds");
    no_process_with("sleep 8653.5").await;
    nothing_is_left(&ground).await;
    ground.server = ground.server.crash_and_restart();
    ground.git.comes_to_gate(3).await;
    ground.git.open_gate();
    let api = ground.server.deploys().await;
    let built = api.ended(&path).await;
    assert_eq!(built["status"], "completed", "{built}");
    assert!(log(&built, "collect").contains("begins anew (attempt 3)"), "{built}");
    let of_it = format!("/events?subject_id={}&type=build.completed", built["id"].as_str().unwrap());
    assert_eq!(api.get(&of_it).await.ok()["pageInfo"]["total"], 1);
    api.deploy(&id(&built)).await;
    assert_eq!(ground.server.page("survives.pages.localhost", "/").await, "page");
    no_process_with("sleep 8653.5").await;
}

#[tokio::test]
async fn each_step_of_the_build_of_a_commit_tells_what_was_said_at_it() {
    let Some(ground) = Ground::start().await else { return };
    let command = format!("echo before the gate && {} && exit 7", ground.git.gate());
    let repository = page(&ground.git, "page");
    ground.connect(&repository, json!({ "build_command": command, "destination_dir": "out" })).await;
    ground.push(&repository, "main", "fails in the end").await;
    let api = ground.server.deploys().await;
    let builds = api.get("/builds").await.ok();
    let path = format!("/builds/{}", id(&builds["data"][0]));
    let running = says(&api, &path, "build", "before the gate").await;
    assert_eq!(
        (&running["status"], &step(&running, "build")["status"]),
        (&json!("running"), &json!("running"))
    );
    ground.git.open_gate();
    let failed = api.ended(&path).await;
    assert_eq!((&failed["status"], &step(&failed, "build")["status"]), (&json!("failed"), &json!("failed")));
    let [cloned, built] = ["clone_repo", "build"].map(|name| log(&failed, name));
    assert!(cloned.contains("Cloned ") && !cloned.contains("before the gate"), "{failed}");
    assert!(
        built.contains("before the gate") && built.contains('7') && !built.contains("Cloned "),
        "{failed}"
    );
}

#[tokio::test]
async fn versions_and_commits_share_the_builders_and_what_needs_none_waits_for_nobody() {
    let Some(ground) = Ground::start_with(&[("OFFPRINT_BUILD_WORKERS", "3")]).await else { return };
    let api = ground.server.deploys().await;
    let repository = page(&ground.git, "page");
    ground.connect(&repository, json!({ "build_command": ground.git.gate() })).await;
    let commit = ground.push(&repository, "main", "first").await;
    ground.git.comes_to_gate(1).await;
    // An account has one build at once, of whichever kind.
    let (_, version) = ground.app("Waits", json!({ "buildCommand": "true" }), &[("index.html", "x")]).await;
    let path = begin(&api, &version).await;
    let (_, plain) = ground.app("Plain", json!({}), &[("index.html", "plain")]).await;
    let taken = api.get(&format!("/builds/{}", api.build(&plain).await)).await.ok();
    assert_eq!(statuses(&taken), [("collect", "completed"), ("build", "skipped"), ("store", "completed")]);
    assert_eq!(log(&taken, "collect"), "No build command is set: nothing is built.\nCollected 1 assets.");
    let waiting = api.get(&path).await.ok();
    assert_eq!((&waiting["status"], &waiting["startedAt"]), (&json!("pending"), &Value::Null), "{waiting}");
    ground.git.open_gate();
    assert_eq!(api.ended(&path).await["status"], "completed");
    ground.live(&commit).await;
}

#[tokio::test]
async fn where_nobody_builds_files_are_taken_as_they_are_and_the_rest_fails_clearly() {
    let server = TestServer::start_with(&[("OFFPRINT_BUILDER", "off")]).await;
    let api = server.deploys().await;
    let (_, plain) = api
        .app(
            "Plain",
            &[("site/dist/index.html", "plain"), ("site/dist/node_modules/x.js", "x"), ("site/x", "x")],
        )
        .await;
    let app = api.get("/apps?handle=plain").await.ok()["data"][0]["id"].as_str().unwrap().to_owned();
    let config = json!({ "rootDirectory": "/site/", "outputDirectory": "./dist" });
    api.patch(&format!("/apps/{app}"), json!({ "config": config })).await.ok();
    let built = api.get(&format!("/builds/{}", api.build(&plain).await)).await.ok();
    assert!(log(&built, "collect").contains("Collected 1 assets."), "{built}");
    api.deploy(&id(&built)).await;
    assert_eq!(server.page("plain.pages.localhost", "/").await, "plain");

    let worker = "export default { fetch: () => new Response('x') };";
    let (_, script) = api.app("Script", &[("_worker.js", worker)]).await;
    let built = api.get(&format!("/builds/{}", api.build(&script).await)).await.ok();
    assert!(log(&built, "collect").contains("_worker.js is taken as it is"), "{built}");

    let function = "export const onRequest = () => new Response('x');";
    let (_, functions) = api.app("Functions", &[("index.html", "x"), ("functions/x.js", function)]).await;
    let (app, command) = api.app("Command", &[("index.html", "x")]).await;
    api.patch(&format!("/apps/{app}"), json!({ "config": { "buildCommand": "make" } })).await.ok();
    for version in [&functions, &command] {
        let failed = api.ended(&begin(&api, version).await).await;
        let error = failed["error"].as_str().unwrap_or_else(|| panic!("{failed}"));
        assert!(error.contains("has to be built, and this server does not build"), "{error}");
        assert_eq!(statuses(&failed), [("collect", "failed"), ("build", "skipped"), ("store", "skipped")]);
    }
    for (config, text) in [
        (json!({ "buildCommand": null, "outputDirectory": "dist" }), "The version has: index.html"),
        (json!({ "rootDirectory": "..", "outputDirectory": null }), "leads out of the version"),
    ] {
        api.patch(&format!("/apps/{app}"), json!({ "config": config })).await.ok();
        let failed = api.ended(&begin(&api, &command).await).await;
        assert!(failed["error"].as_str().unwrap().contains(text), "{failed}");
    }
}

#[tokio::test]
async fn how_an_app_is_built_is_seen_and_set_through_both_apis() {
    let server = TestServer::start().await;
    let (pages, api) = (server.api(), server.deploys().await);
    let config = json!({ "buildCommand": "npm run build", "outputDirectory": "dist" });
    let app = api.post("/apps", json!({ "name": "Both", "config": config })).await.made();
    let nothing = json!({ "nodeVersion": null, "env": {}, "rootDirectory": null });
    let mut expected = nothing.as_object().unwrap().clone();
    expected.extend(config.as_object().unwrap().clone());
    assert_eq!(app["config"], json!(expected));
    let build = pages.get(&project("both", "")).ok().await["build_config"].clone();
    assert_eq!(
        (&build["build_command"], &build["destination_dir"]),
        (&json!("npm run build"), &json!("dist"))
    );

    let change = json!({ "build_config": { "build_command": "make", "root_dir": "site" } });
    pages.patch(&project("both", "")).json(&change).ok().await;
    let path = format!("/apps/{}", id(&app));
    let read = api.get(&path).await.ok()["config"].clone();
    assert_eq!((&read["buildCommand"], &read["rootDirectory"]), (&json!("make"), &json!("site")));
    let cleared =
        api.patch(&path, json!({ "config": { "buildCommand": null } })).await.ok()["config"].clone();
    assert_eq!((&cleared["buildCommand"], &cleared["outputDirectory"]), (&Value::Null, &json!("dist")));
    assert!(pages.get(&project("both", "")).ok().await["build_config"]["build_command"].is_null());

    for (config, at) in [
        (json!({ "buildcommand": "make" }), "config.buildcommand"),
        (json!({ "buildCommand": 1 }), "config.buildCommand"),
        (json!({ "buildCommand": "\u{0}" }), "config.buildCommand"),
        (json!({ "outputDirectory": "" }), "config.outputDirectory"),
        (json!({ "rootDirectory": "a\nb" }), "config.rootDirectory"),
    ] {
        assert_eq!(api.patch(&path, json!({ "config": config })).await.refused(400), at, "{config}");
    }
}

//! From a push to a live site, with everything real: a bare repository over smart HTTP, a signed webhook, npm and
//! its registry, the sandbox, and a person who follows the log.

use serde_json::{Value, json};

use super::{DEMO, Ground, HOST, stages};
use crate::cli::Shell;
use crate::support::{host_of, project, testdata};

/// Longer than a word, so that it is masked.
const SECRET: &str = "correct-horse-battery-staple";

#[tokio::test]
async fn a_signed_push_becomes_a_live_site_while_its_log_is_followed() {
    let Some(ground) = Ground::start().await else { return };
    let repository = ground.git.repository("site");
    for name in ["package.json", "package-lock.json", "build.js", "page.mustache"] {
        repository.write(name, std::fs::read(testdata("builds/npm-site").join(name)).unwrap());
    }
    let command =
        format!("echo the secret is $API_KEY && echo at the gate && {} && npm run build", ground.git.gate());
    ground.connect(&repository, json!({ "build_command": command, "destination_dir": "dist" })).await;
    set_variables(&ground).await;

    let id = ground.push(&repository, "main", "Say hello\n\nWith a body.").await;
    let shell = Shell::at(&ground.server);
    let mut follower = shell.start(&["deployment", "logs", &id, "--follow", "--project", DEMO]);
    follower.line_with("at the gate").await;
    let running = ground.deployment(&id).await;
    assert_eq!(
        (&running["latest_stage"]["name"], &running["latest_stage"]["status"]),
        (&json!("build"), &json!("active"))
    );
    assert_eq!(ground.server.site(HOST, "/").await.status(), 404, "nothing is live before its time");

    ground.git.open_gate();
    follower.line_with("rendered the page of main").await;
    assert_eq!(follower.ended().await, 0, "{}{}", follower.out(), follower.err());
    for stage in ["clone_repo: success", "build: success"] {
        assert!(follower.err().contains(stage), "{stage} is not in:\n{}", follower.err());
    }
    assert!(!follower.out().contains(SECRET), "the secret is in the log:\n{}", follower.out());

    let live = ground.live(&id).await;
    check_deployment(&live, &repository.head());
    let url = live["url"].as_str().unwrap();
    let page = ground.server.page(host_of(url), "/").await;
    let expected = format!("hello from main at {}, {url}, pages 1", repository.head());
    assert!(page.contains(&expected), "{expected:?} is not in {page}");
    ground.server.shows(HOST, &page).await;
    assert_eq!(ground.api.get(&project(DEMO, "")).ok().await["canonical_deployment"]["id"], id);
}

async fn set_variables(ground: &Ground) {
    let variables = json!({
        "GREETING": { "type": "plain_text", "value": "hello" },
        "API_KEY": { "type": "secret_text", "value": SECRET },
    });
    let change = json!({ "deployment_configs": { "production": { "env_vars": variables } } });
    ground.api.patch(&project(DEMO, "")).json(&change).ok().await;
}

/// Everything that the API says of a build that went well.
fn check_deployment(live: &Value, commit: &str) {
    for name in ["queued", "initialize", "clone_repo", "build", "deploy"] {
        assert_eq!(stages(live)[name], "success", "{live}");
    }
    let times: Vec<_> =
        live["stages"].as_array().unwrap().iter().flat_map(|s| [&s["started_on"], &s["ended_on"]]).collect();
    assert!(times.iter().all(|time| time.is_string()), "every stage has its times: {live}");
    assert_eq!(live["environment"], "production");
    assert_eq!(live["deployment_trigger"]["type"], "forgejo:push");
    let metadata = &live["deployment_trigger"]["metadata"];
    assert_eq!((&metadata["branch"], &metadata["commit_hash"]), (&json!("main"), &json!(commit)));
    assert!(metadata["commit_message"].as_str().unwrap().starts_with("Say hello"), "{metadata}");
    assert_eq!(live["source"]["type"], "forgejo");
    assert_eq!(live["env_vars"]["API_KEY"]["value"], "", "secrets are not shown");
}

#[tokio::test]
async fn a_branch_gets_a_preview_with_a_host_of_its_own() {
    let Some(ground) = Ground::start().await else { return };
    let repository = super::page(&ground.git, "production");
    ground.connect(&repository, json!({})).await;
    let production = ground.push(&repository, "main", "first").await;
    ground.live(&production).await;
    repository.write("index.html", "preview");
    let id = ground.push(&repository, "try/it", "second").await;
    let preview = ground.live(&id).await;
    assert_eq!(preview["environment"], "preview");
    ground.server.shows("try-it.demo.pages.localhost", "preview").await;
    ground.server.shows(HOST, "production").await;
}

#[tokio::test]
async fn what_is_wrong_with_a_build_is_in_its_log_and_nothing_goes_live() {
    let Some(ground) = Ground::start().await else { return };
    let repository = super::page(&ground.git, "page");
    ground
        .connect(&repository, json!({ "build_command": "echo before; exit 7", "destination_dir": "out" }))
        .await;
    let id = ground.push(&repository, "main", "fails").await;
    let log = ground.failed(&id, "build").await;
    assert!(log.contains("before") && log.contains('7'), "{log}");

    let change = json!({ "build_config": { "build_command": "mkdir elsewhere" } });
    ground.api.patch(&project(DEMO, "")).json(&change).ok().await;
    let id = ground.push(&repository, "main", "no output").await;
    let log = ground.failed(&id, "build").await;
    assert!(
        log.contains("out") && log.contains("elsewhere"),
        "the folder and what is there is named:\n{log}"
    );
    assert_eq!(ground.server.site(HOST, "/").await.status(), 404);
}

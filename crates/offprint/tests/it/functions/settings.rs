//! Variables, secrets and versions: which of them a Function runs with.

use serde_json::json;

use super::{HOST, answering, configure, deployed, eventually, functions, json_of, log_of};
use crate::support::{Release, Site, host_of, project};

/// What it was made of and with.
fn telling(version: &str) -> Site {
    answering(&format!("return Response.json(['{version}', env.PLAIN ?? null, env.SECRET ?? null])"))
}

#[tokio::test]
async fn each_environment_has_its_variables_and_a_deployment_keeps_them() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    for environment in ["production", "preview"] {
        let text = |value: &str| json!({ "type": "plain_text", "value": value });
        let secret = json!({ "type": "secret_text", "value": format!("hush {environment}") });
        let variables = json!({ "env_vars": { "PLAIN": text(environment), "SECRET": secret } });
        configure(&api, environment, &variables).await;
    }
    let first = telling("one").deploy(&api, "demo").await;
    let preview = telling("one").branch("feature").deploy(&api, "demo").await;
    let told = async |host: &str| json_of(server.site(host, "/").await).await;
    assert_eq!(told(HOST).await, json!(["one", "production", "hush production"]));
    assert_eq!(
        told(host_of(preview["url"].as_str().unwrap())).await,
        json!(["one", "preview", "hush preview"])
    );
    assert_eq!(told("feature.demo.pages.localhost").await, json!(["one", "preview", "hush preview"]));

    // A change is for what is deployed from now on, of the same content, too.
    configure(
        &api,
        "production",
        &json!({ "env_vars": { "PLAIN": { "value": "changed" }, "SECRET": null } }),
    )
    .await;
    assert_eq!(told(HOST).await, json!(["one", "production", "hush production"]));
    telling("one").deploy(&api, "demo").await;
    eventually("the new variables are there", async || told(HOST).await == json!(["one", "changed", null]))
        .await;
    assert_eq!(
        told(host_of(first["url"].as_str().unwrap())).await,
        json!(["one", "production", "hush production"])
    );
    assert!(!server.log().contains("hush"));
}

#[tokio::test]
async fn a_rollback_takes_function_and_assets_back_together() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    let version = |name: &str| {
        answering(&format!(
            "return new Response('{name} ' + await (await env.ASSETS.fetch('http://a/version')).text())"
        ))
        .asset("/version", name)
    };
    let first = version("one").deploy(&api, "demo").await;
    version("two").deploy(&api, "demo").await;
    server.shows(HOST, "two two").await;
    let rollback = format!("/deployments/{}/rollback", first["id"].as_str().unwrap());
    api.post(&project("demo", &rollback)).ok().await;
    let mut seen = String::new();
    eventually("the first is back", async || {
        seen = server.page(HOST, "/").await;
        assert!(["one one", "two two"].contains(&&*seen), "half of each: {seen}");
        seen == "one one"
    })
    .await;
}

#[tokio::test]
async fn functions_that_do_not_start_fail_their_deployment_and_change_nothing() {
    let server = functions!();
    let api = deployed(&server, &telling("good")).await;
    configure(
        &api,
        "production",
        &json!({ "env_vars": { "SECRET": { "type": "secret_text", "value": "hush 4711" } },
        "compatibility_flags": ["nodejs_compat"] }),
    )
    .await;
    for (script, reason) in [
        ("export default { fetch() { return new Response('x' } }", "SyntaxError"),
        ("import 'no-such-module'; export default {}", "no-such-module"),
        ("throw new Error('at once ' + process.env.SECRET); export default {}", "at once ***"),
    ] {
        let site = Site::page("static").file("_worker.js", script);
        let started = site.start(&api, "demo").await;
        let path = format!("/deployments/{}", started["id"].as_str().unwrap());
        let mut stage = json!(null);
        eventually("the deployment ends", async || {
            stage = api.get(&project("demo", &path)).ok().await["latest_stage"].clone();
            stage["status"] == "failure"
        })
        .await;
        assert_eq!(stage["name"], "deploy");
        let log = log_of(&api, &started).await;
        let last = log.lines().next_back().unwrap();
        assert!(last.starts_with("Error: ") && last.contains(reason), "{log}");
        assert!(!log.contains("hush"), "{log}");
    }
    assert_eq!(json_of(server.site(HOST, "/").await).await[0], "good");
}

#[tokio::test]
async fn a_date_of_tomorrow_is_said_to_be_todays() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    let part = |name: &str, more: &str, body: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{body}\r\n")
    };
    let script = "export default { fetch: () => new Response('fine') }";
    let bundle = part("metadata", "", r#"{"main_module":"m.js","compatibility_date":"2099-01-01"}"#)
        + &part("m.js", "; filename=\"m.js\"\r\nContent-Type: application/javascript+module", script)
        + "--b--\r\n";
    let deployment = Site::page("static").file("_worker.bundle", bundle).deploy(&api, "demo").await;
    let log = log_of(&api, &deployment).await;
    assert!(log.lines().any(|line| line.starts_with("Warning: ") && line.contains("2099-01-01")), "{log}");
    assert_eq!(server.page(HOST, "/").await, "fine");
}

#[tokio::test]
async fn a_function_knows_its_deployment() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    let names = "const { CF_PAGES, CF_PAGES_BRANCH, CF_PAGES_COMMIT_SHA, CF_PAGES_URL } = env;
        return Response.json([CF_PAGES, CF_PAGES_BRANCH, CF_PAGES_COMMIT_SHA, CF_PAGES_URL])";
    let site = answering(names).branch("feature").field("commit_hash", "abc123");
    let deployment = site.deploy(&api, "demo").await;
    let told = json_of(server.site_at(deployment["url"].as_str().unwrap(), "/").await).await;
    assert_eq!(told, json!(["1", "feature", "abc123", deployment["url"]]));
}

async fn a_secret_that_wrangler_puts_is_there_after_the_next_deployment(release: Release) {
    let server = functions!();
    let api = deployed(&server, &telling("one")).await;
    let Some(wrangler) = crate::support::Wrangler::new(release, &server).await else { return };
    let put = ["pages", "secret", "put", "SECRET", "--project-name", "demo"];
    assert!(wrangler.run_with(&put, &[], "whispered").await.success);
    telling("one").deploy(&api, "demo").await;
    eventually("the secret is there", async || json_of(server.site(HOST, "/").await).await[2] == "whispered")
        .await;
}

#[tokio::test]
async fn a_secret_that_the_pinned_wrangler_puts_is_there_after_the_next_deployment() {
    a_secret_that_wrangler_puts_is_there_after_the_next_deployment(Release::Pinned).await;
}

#[tokio::test]
async fn a_secret_that_the_newest_wrangler_puts_is_there_after_the_next_deployment() {
    a_secret_that_wrangler_puts_is_there_after_the_next_deployment(Release::Newest).await;
}

#[tokio::test]
async fn a_name_with_several_meanings_is_told() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    let text = json!({ "type": "plain_text", "value": "x" });
    let settings = json!({
        "env_vars": { "TWICE": text, "ASSETS": text, "ONCE": text },
        "kv_namespaces": { "TWICE": { "namespace_id": "0123456789abcdef0123456789abcdef" } },
    });
    configure(&api, "production", &settings).await;
    let kinds = "return Response.json([typeof env.TWICE, typeof env.ASSETS, env.ONCE])";
    let deployment = answering(kinds).deploy(&api, "demo").await;
    let log = log_of(&api, &deployment).await;
    for (name, meanings) in [("TWICE", "variable, KV"), ("ASSETS", "variable, assets of the site")] {
        let warning = format!("Warning: The name {name} is given to several things ({meanings})");
        assert!(log.contains(&warning), "{log}");
    }
    assert!(!log.contains("ONCE"), "{log}");
    assert_eq!(json_of(server.site(HOST, "/").await).await, json!(["object", "object", "x"]));
}

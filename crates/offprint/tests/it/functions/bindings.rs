//! What Functions keep, through the whole server: made by the API, bound by a project, used by what is deployed.

use reqwest::Method;
use serde_json::{Value, json};

use super::{HOST, answering, configure, functions, json_of, log_of, worker};
use crate::support::{ACCOUNT, Api, TestServer, client};

/// A counter in KV, a list of things to do in D1, uploads in R2, and a page that is cached.
const SCRIPT: &str = "
async function counter(env) {
    const count = Number(await env.COUNTS?.get('visits') ?? 0) + 1;
    await env.COUNTS.put('visits', String(count), { metadata: { last: 'here' } });
    return Response.json(await env.COUNTS.getWithMetadata('visits'));
}
async function todos(request, env) {
    if (request.method === 'POST') {
        const [made, all] = await env.DB.batch([
            env.DB.prepare('INSERT INTO todo (text) VALUES (?) RETURNING id').bind(await request.text()),
            env.DB.prepare('SELECT count(*) AS n FROM todo'),
        ]);
        return Response.json([made.results[0].id, all.results[0].n]);
    }
    return Response.json((await env.DB.prepare('SELECT id, text FROM todo ORDER BY id').all()).results);
}
async function files(request, env, key) {
    if (request.method === 'PUT') {
        const object = await env.FILES.put(key, request.body, {
            httpMetadata: request.headers, customMetadata: { from: 'form' },
        });
        return new Response(object.httpEtag);
    }
    const object = await env.FILES.get(key, { range: request.headers, onlyIf: request.headers });
    if (!object) return new Response('none', { status: 404 });
    const headers = new Headers({ etag: object.httpEtag, 'x-from': object.customMetadata.from });
    object.writeHttpMetadata(headers);
    return new Response(object.body, { headers, status: object.body ? 200 : 304 });
}
async function cached(request) {
    const found = await caches.default.match(request);
    if (found) return found;
    const made = Response.json(crypto.randomUUID(), { headers: { 'cache-control': 'max-age=600' } });
    await caches.default.put(request, made.clone());
    return made;
}
export default {
    async fetch(request, env) {
        const path = new URL(request.url).pathname;
        try {
            if (path === '/counter') return await counter(env);
            if (path === '/todos') return await todos(request, env);
            if (path.startsWith('/files/')) return await files(request, env, path.slice(7));
            if (path === '/cached') return await cached(request);
            return Response.json(Object.keys(env).sort());
        } catch (error) {
            return new Response(String(error), { status: 500 });
        }
    },
};";

fn account(rest: &str) -> String {
    format!("/accounts/{ACCOUNT}{rest}")
}

/// Makes a namespace, a database with its table, and a bucket; what an environment says to be bound to them.
async fn resources(api: &Api, name: &str) -> Value {
    let made = api.post(&account("/storage/kv/namespaces")).json(&json!({ "title": name })).ok().await;
    let namespace = made["id"].as_str().unwrap();
    let made = api.post(&account("/d1/database")).json(&json!({ "name": name })).ok().await;
    let database = made["uuid"].as_str().unwrap();
    let sql = json!({ "sql": "CREATE TABLE todo (id INTEGER PRIMARY KEY, text TEXT NOT NULL)" });
    api.post(&account(&format!("/d1/database/{database}/query"))).json(&sql).ok().await;
    api.post(&account("/r2/buckets")).json(&json!({ "name": name })).ok().await;
    json!({
        "kv_namespaces": { "COUNTS": { "namespace_id": namespace } },
        "d1_databases": { "DB": { "id": database } },
        "r2_buckets": { "FILES": { "name": name } },
    })
}

/// The project `demo` with resources of its own for each environment. What production is bound to.
async fn bound(api: &Api) -> Value {
    api.create_project("demo").await;
    let production = resources(api, "live").await;
    configure(api, "production", &production).await;
    configure(api, "preview", &resources(api, "preview").await).await;
    production
}

async fn ask(
    server: &TestServer,
    method: Method,
    host: &str,
    path: &str,
    body: Vec<u8>,
) -> reqwest::Response {
    let request = client().build().unwrap().request(method, format!("{}{path}", server.origin()));
    request.header("host", host).header("content-type", "image/png").body(body).send().await.unwrap()
}

async fn count(server: &TestServer, host: &str) -> Value {
    json_of(server.site(host, "/counter").await).await["value"].clone()
}

#[tokio::test]
async fn what_functions_keep_outlives_the_server() {
    let server = functions!();
    bound(&server.api()).await;
    worker(SCRIPT).deploy(&server.api(), "demo").await;
    let counted = json_of(server.site(HOST, "/counter").await).await;
    assert_eq!((&counted["value"], &counted["metadata"]), (&json!("1"), &json!({ "last": "here" })));
    let made = ask(&server, Method::POST, HOST, "/todos", "buy 'milk'; --".into()).await;
    assert_eq!(json_of(made).await, json!([1, 1]));
    let picture: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let put = ask(&server, Method::PUT, HOST, "/files/a%20b/c.png", picture.clone()).await;
    assert_eq!(put.status(), 200);
    let etag = put.text().await.unwrap();

    let server = server.crash_and_restart();
    assert_eq!(count(&server, HOST).await, "2");
    assert_eq!(
        json_of(server.site(HOST, "/todos").await).await,
        json!([{ "id": 1, "text": "buy 'milk'; --" }])
    );
    let got = server.site(HOST, "/files/a%20b/c.png").await;
    let header = |name: &str| got.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("etag"), header("content-type"), header("x-from")),
        (etag.clone(), "image/png".into(), "form".into())
    );
    assert!(got.bytes().await.unwrap() == picture);
    let known = client().build().unwrap().get(format!("{}/files/a%20b/c.png", server.origin()));
    let known = known.header("host", HOST).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(known.status(), 304);
}

/// Asks each of the bindings `COUNTS`, `DB` and `FILES` and the project behind `OTHER`; what came of it.
const ASKING: &str = "
    const asked = {
        get: () => env.COUNTS.get('a'),
        'get many': () => env.COUNTS.get(['a', 'b']),
        put: () => env.COUNTS.put('a', 'b'),
        sql: () => env.DB.prepare('SELECT 1 AS one').first(),
        object: () => env.FILES.get('a'),
        head: () => env.FILES.head('a'),
        'put object': () => env.FILES.put('a', 'b'),
        objects: () => env.FILES.list(),
        other: async () => (await env.OTHER.fetch(request)).status,
    };
    const seen = {};
    for (const [name, ask] of Object.entries(asked)) {
        try { seen[name] = await ask() ?? null } catch (error) { seen[name] = error.message }
    }
    return Response.json(seen);";

#[tokio::test]
async fn bindings_that_lead_nowhere_are_named_in_the_log_and_are_errors() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    let id = "ffffffffffffffffffffffffffffffff";
    let settings = json!({
        "kv_namespaces": { "COUNTS": { "namespace_id": id } },
        "d1_databases": { "DB": { "id": id } },
        "r2_buckets": { "FILES": { "name": "nowhere" } },
        "services": { "OTHER": { "service": "nobody" } },
    });
    configure(&api, "production", &settings).await;
    let deployment = answering(ASKING).deploy(&api, "demo").await;
    let log = log_of(&api, &deployment).await;
    for warning in [
        format!("COUNTS leads nowhere: there is no KV namespace {id} in this account"),
        format!("DB leads nowhere: there is no D1 database {id} in this account"),
        "FILES leads nowhere: there is no R2 bucket nowhere in this account".into(),
        "OTHER leads nowhere yet: there is no production of a project nobody".into(),
    ] {
        assert!(log.contains(&format!("Warning: The binding {warning}")), "{log}");
    }
    let kv = format!("400 there is no KV namespace {id} in this account");
    let bucket = "The specified bucket does not exist. (10006)";
    assert_eq!(
        json_of(server.site(HOST, "/").await).await,
        json!({
            "get": format!("KV GET failed: {kv}"),
            "get many": format!("KV GET_BULK failed: {kv}"),
            "put": format!("KV PUT failed: {kv}"),
            "sql": format!("D1_ERROR: there is no D1 database {id} in this account"),
            "object": format!("get: {bucket}"),
            "head": format!("head: {bucket}"),
            "put object": format!("put: {bucket}"),
            "objects": format!("list: {bucket}"),
            "other": 502,
        })
    );
}

#[tokio::test]
async fn service_bindings_in_a_circle_end() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    configure(&api, "production", &json!({ "services": { "SELF": { "service": "demo" } } })).await;
    answering("return env.SELF.fetch(request)").deploy(&api, "demo").await;
    server.answers(HOST, 508).await;
}

#[tokio::test]
async fn what_was_deleted_is_an_error_and_not_empty() {
    let server = functions!();
    let api = server.api();
    let production = bound(&api).await;
    let script = "
        const seen = {};
        for (const [name, ask] of [['kv', () => env.COUNTS.get('a')], ['sql', () => env.DB.exec('SELECT 1')]]) {
            try { seen[name] = await ask() ?? null } catch (error) { seen[name] = error.message }
        }
        return Response.json(seen);";
    answering(script).deploy(&api, "demo").await;
    let seen = json_of(server.site(HOST, "/").await).await;
    assert_eq!((&seen["kv"], &seen["sql"]["count"]), (&json!(null), &json!(1)));
    let namespace = production["kv_namespaces"]["COUNTS"]["namespace_id"].as_str().unwrap();
    api.delete(&account(&format!("/storage/kv/namespaces/{namespace}"))).ok().await;
    let database = production["d1_databases"]["DB"]["id"].as_str().unwrap();
    api.delete(&account(&format!("/d1/database/{database}"))).ok().await;
    let seen = json_of(server.site(HOST, "/").await).await;
    for (name, said) in [("kv", "KV GET failed: 400 "), ("sql", "D1_EXEC_ERROR: ")] {
        let seen = seen[name].as_str().unwrap();
        assert!(seen.starts_with(said) && !seen.contains("JSON"), "{name}: {seen}");
    }
}

/// What the system has for temporary files may be its memory, and is others' as well.
#[tokio::test]
async fn large_sorts_are_files_in_the_data_directory() {
    let server = TestServer::start().await;
    let api = server.api();
    let made = api.post(&account("/d1/database")).json(&json!({ "name": "large" })).ok().await;
    let query = account(&format!("/d1/database/{}/query", made["uuid"].as_str().unwrap()));
    let sql = json!({ "sql": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000)
        SELECT count(*) AS n FROM (SELECT hex(randomblob(50)) AS t FROM n ORDER BY t LIMIT -1 OFFSET 1)" });
    let running = tokio::spawn(async move { api.post(&query).json(&sql).ok().await });
    let open = format!("/proc/{}/fd", server.pid());
    // They have no names any more.
    let sorting = server.data().canonicalize().unwrap().join("bindings/sorting");
    let mut was_seen = false;
    while !running.is_finished() {
        let links = std::fs::read_dir(&open).unwrap().flatten();
        was_seen |=
            links.filter_map(|link| std::fs::read_link(link.path()).ok()).any(|to| to.starts_with(&sorting));
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(running.await.unwrap()[0]["results"][0]["n"], 499_999);
    assert!(was_seen, "nothing was sorted in {}", sorting.display());
    assert_eq!(std::fs::read_dir(&sorting).unwrap().count(), 0);
}

#[tokio::test]
async fn functions_and_the_api_see_the_same() {
    let server = functions!();
    let api = server.api();
    let production = bound(&api).await;
    worker(SCRIPT).deploy(&api, "demo").await;
    assert_eq!(count(&server, HOST).await, "1");
    ask(&server, Method::POST, HOST, "/todos", "from a Function".into()).await;
    let id = production["d1_databases"]["DB"]["id"].as_str().unwrap();
    let sql = json!({ "sql": "UPDATE todo SET text = text || '!'; SELECT text FROM todo" });
    let results = api.post(&account(&format!("/d1/database/{id}/query"))).json(&sql).ok().await;
    assert_eq!(results[1]["results"], json!([{ "text": "from a Function!" }]));
    assert_eq!(json_of(server.site(HOST, "/todos").await).await[0]["text"], "from a Function!");
    let id = production["kv_namespaces"]["COUNTS"]["namespace_id"].as_str().unwrap();
    let keys = api.get(&account(&format!("/storage/kv/namespaces/{id}/keys"))).ok().await;
    assert_eq!(keys, json!([{ "name": "visits", "metadata": { "last": "here" } }]));
    api.call(Method::PUT, &account("/r2/buckets/live/objects/note")).body("text/plain", "hello").ok().await;
    // What was put without metadata of its own.
    assert_eq!(server.page(HOST, "/files/note").await, "hello");
}

#[tokio::test]
async fn previews_and_other_projects_keep_their_own() {
    let server = functions!();
    let api = server.api();
    bound(&api).await;
    worker(SCRIPT).deploy(&api, "demo").await;
    worker(SCRIPT).branch("feature").deploy(&api, "demo").await;
    api.create_project("other").await;
    worker(SCRIPT).deploy(&api, "other").await;
    let (preview, other) = ("feature.demo.pages.localhost", "other.pages.localhost");
    assert_eq!(count(&server, HOST).await, "1");
    assert_eq!(count(&server, HOST).await, "2");
    assert_eq!(count(&server, preview).await, "1");
    for path in ["/counter", "/todos", "/files/x"] {
        assert_eq!(server.site(other, path).await.status(), 500, "{path}");
    }
    let names = json_of(server.site(other, "/names").await).await;
    assert!(
        !["COUNTS", "DB", "FILES"].iter().any(|name| names.as_array().unwrap().contains(&json!(name))),
        "{names}"
    );
    let cached = async |host: &str| json_of(server.site(host, "/cached").await).await;
    let live = cached(HOST).await;
    assert_eq!(cached(HOST).await, live);
    // The same URL as production's, as far as the visitor can say it.
    assert_ne!(cached(preview).await, live);
    assert_ne!(cached(other).await, live);
}

#[tokio::test]
async fn what_a_binding_leads_to_may_not_exist() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    let nothing = json!({
        "kv_namespaces": { "COUNTS": { "namespace_id": "0".repeat(32) } },
        "d1_databases": { "DB": { "id": "00000000-0000-0000-0000-000000000000" } },
        "r2_buckets": { "FILES": { "name": "nobody-made-it" } },
    });
    configure(&api, "production", &nothing).await;
    worker(SCRIPT).deploy(&api, "demo").await;
    for path in ["/counter", "/todos", "/files/x"] {
        assert_eq!(server.site(HOST, path).await.status(), 500, "{path}");
    }
    assert!(server.site(HOST, "/names").await.status().is_success());
}

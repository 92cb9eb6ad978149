//! Whatever is wrong with a call is refused with its path, or finds nothing; no text of a caller reaches the database.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Deploys, Site, TOKEN, TestServer, id};

const OTHER_ACCOUNT: &str = "fedcba9876543210fedcba9876543210";
const OTHER_TOKEN: &str = "offprint-test-token-of-another-workspace";

fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://host/", pairs).unwrap();
    format!("{path}?{}", url.query().unwrap())
}

/// The lists: operations without a name in braces that answer with pages.
fn lists(api: &Deploys) -> Vec<String> {
    let gets = api.operations().into_iter().filter(|(method, path)| method == "GET" && !path.contains('{'));
    gets.map(|(_, path)| path).collect()
}

#[tokio::test]
async fn every_list_refuses_what_it_does_not_know() {
    let server = TestServer::start().await;
    let (pages, api) = (server.api(), server.deploys().await);
    pages.create_project("demo").await;
    Site::page("x").deploy(&pages, "demo").await;
    let deep = format!("{}{{}}{}", r#"{"NOT":"#.repeat(8), "}".repeat(8));
    let wide = json!({ "OR": vec![json!({ "id": "x" }); 51] }).to_string();
    let many = json!({ "id": { "in": vec!["x"; 501] } }).to_string();
    let keys = json!(vec![json!({ "id": "asc" }); 6]).to_string();
    let cursors = "0".repeat(64);
    for list in lists(&api) {
        for (name, value, path) in [
            ("limit", "0", "limit"),
            ("limit", "101", "limit"),
            ("limit", "-1", "limit"),
            ("limit", "1.5", "limit"),
            ("limit", "99999999999999999999", "limit"),
            ("after", cursors.as_str(), "after"),
            ("before", "'; DROP TABLE deploy; --", "before"),
            ("nonsense", "1", "nonsense"),
            ("ids", &vec!["x"; 10_000].join(","), "ids"),
            ("filter", "{", "filter"),
            ("filter", "[]", "filter"),
            ("filter", "null", "filter"),
            ("filter", r#"{"nonsense":1}"#, "filter.nonsense"),
            ("filter", r#"{"id":{"resembles":"x"}}"#, "filter.id.resembles"),
            ("filter", r#"{"id":{}}"#, "filter.id"),
            ("filter", r#"{"id":1}"#, "filter.id"),
            ("filter", r#"{"id":{"in":"x"}}"#, "filter.id.in"),
            ("filter", r#"{"id":{"isNull":"yes"}}"#, "filter.id.isNull"),
            ("filter", r#"{"createdAt":{"gt":"yesterday"}}"#, "filter.createdAt.gt"),
            ("filter", r#"{"AND":{"id":"x"}}"#, "filter.AND"),
            ("filter", r#"{"AND":[{"OR":[{"NOT":{"x":1}}]}]}"#, "filter.AND[0].OR[0].NOT.x"),
            ("filter", &many, "filter.id.in"),
            ("filter", &deep, "filter.NOT.NOT.NOT.NOT.NOT.NOT.NOT.NOT"),
            ("filter", &wide, "filter.OR[49].id"),
            ("orderBy", "{}", "orderBy"),
            ("orderBy", r#"["id"]"#, "orderBy[0]"),
            ("orderBy", r#"[{"nonsense":"asc"}]"#, "orderBy[0].nonsense"),
            ("orderBy", r#"[{"id":"up"}]"#, "orderBy[0].id"),
            ("orderBy", r#"[{"id":1}]"#, "orderBy[0].id"),
            ("orderBy", &keys, "orderBy"),
        ] {
            // Not everything has a time at which it was made.
            if value.contains("createdAt") && list == "/workspaces" {
                continue;
            }
            let asked = with_query(&list, &[(name, value)]);
            assert_eq!(api.get(&asked).await.refused(400), path, "{list} {name} {value:.80}");
        }
        let both = with_query(&list, &[("after", &cursors), ("before", &cursors)]);
        assert_eq!(api.get(&both).await.refused(400), "before");
        let twice = with_query(&list, &[("limit", "1"), ("limit", "1")]);
        assert_eq!(api.get(&twice).await.refused(400), "limit");
        let page = api.get(&format!("{list}?limit=1")).await.ok();
        if let Some(cursor) = page["pageInfo"]["endCursor"].as_str() {
            let other = with_query(&list, &[("after", cursor), ("filter", r#"{"id":"x"}"#)]);
            assert_eq!(api.get(&other).await.refused(400), "after", "{list}");
            let tampered = format!("{}{}", if cursor.starts_with('0') { '1' } else { '0' }, &cursor[1..]);
            assert_eq!(api.get(&with_query(&list, &[("before", &tampered)])).await.refused(400), "before");
        }
    }
}

#[tokio::test]
async fn every_body_is_an_object_with_members_that_are_known() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let (app, version) = api.app("Bodies", &[("index.html", "x")]).await;
    let hook = json!({ "name": "x", "url": "https://example.com/" });
    let hook = id(&api.post("/webhook-subscriptions", hook).await.made());
    let nested = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let http = reqwest::Client::new();
    // Without a body: nothing is read of it.
    let bodiless = ["/apps/{id}/restore", "/webhook-subscriptions/{id}/test"];
    let taking = api.operations().into_iter().filter(|(method, path)| {
        ["POST", "PATCH"].contains(&method.as_str()) && !bodiless.contains(&path.as_str())
    });
    let mut tried = 0;
    for (method, path) in taking {
        let known = match path.split('/').nth(1).unwrap() {
            "apps" => &app,
            "app-versions" => &version,
            "webhook-subscriptions" => &hook,
            _ => "unknown",
        };
        let path = path.replace("{id}", known);
        let method: Method = method.parse().unwrap();
        for (body, at) in [
            ("{", ""),
            ("", "?"),
            ("[]", ""),
            ("\"text\"", ""),
            ("null", ""),
            (nested.as_str(), ""),
            ("{\"a\":1}{\"b\":2}", ""),
            (r#"{"nonsense":1}"#, "nonsense"),
            (r#"{"__proto__":{}}"#, "__proto__"),
        ] {
            let url = format!("{}/api{path}", server.origin());
            let request = http.request(method.clone(), url).bearer_auth(TOKEN).body(body.to_owned());
            let answer = request.send().await.unwrap();
            let (status, problem) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
            if at == "?" {
                // Nothing is asked for: that is too little, nothing to do, or no such thing.
                assert!([200, 400, 404, 422].contains(&status), "{method} {path} -> {status}");
                continue;
            }
            assert_eq!(status, 400, "{method} {path} {body:.40} -> {problem}");
            assert_eq!(problem["error"]["details"][0]["path"], at, "{method} {path} {body:.40}");
        }
        tried += 1;
    }
    assert!(tried >= 12, "{tried}");
}

/// What there is in a workspace, by the first part of the path under which it is found.
struct Stock(Vec<(&'static str, String)>);

impl Stock {
    async fn of(api: &Deploys) -> Self {
        let (app, version) = api.app("Mine", &[("index.html", "mine")]).await;
        let build = api.build(&version).await;
        let deploy = id(&api.deploy(&build).await);
        let hook = json!({ "name": "x", "url": "https://example.com/" });
        let key = json!({ "name": "k", "permission": "read" });
        Self(vec![
            ("apps", app),
            ("app-versions", version),
            ("builds", build),
            ("deploys", deploy),
            ("webhook-subscriptions", id(&api.post("/webhook-subscriptions", hook).await.made())),
            ("api-keys", id(&api.post("/api-keys", key).await.made())),
            ("events", id(&api.get("/events").await.ok()["data"][0])),
            ("workspaces", id(&api.get("/workspaces").await.ok()["data"][0])),
        ])
    }

    fn of_path(&self, path: &str) -> &str {
        let first = path.split('/').nth(1).unwrap();
        &self.0.iter().find(|(name, _)| *name == first).unwrap().1
    }
}

/// Two workspaces on one server, and what there is in the first.
async fn two_workspaces() -> (TestServer, Deploys, Deploys, Stock) {
    let server = TestServer::start().await;
    let stock = Stock::of(&server.deploys().await).await;
    let other = [("OFFPRINT_ACCOUNT_ID", OTHER_ACCOUNT), ("OFFPRINT_BOOTSTRAP_TOKEN", OTHER_TOKEN)];
    let server = server.restart_with(&other);
    let mine = server.deploys().await;
    let theirs = mine.with_key(OTHER_TOKEN);
    assert_ne!(id(&theirs.get("/workspaces").await.ok()["data"][0]), stock.of_path("/workspaces"));
    (server, mine, theirs, stock)
}

#[tokio::test]
async fn nothing_of_another_workspace_is_found_or_changed() {
    let (_server, mine, theirs, stock) = two_workspaces().await;
    let file = json!({ "path": "a.txt", "content": "x" });
    for (method, path) in mine.operations() {
        let known = stock.of_path(&path);
        let method: Method = method.parse().unwrap();
        if path.contains("{id}") {
            let path = path.replace("{id}", known);
            let path = if path.ends_with("/files") { format!("{path}?path=index.html") } else { path };
            let body = match method.as_str() {
                "PATCH" | "POST" if path.contains("/files") => file.clone(),
                "PATCH" if path.starts_with("/app-versions") => json!({ "name": "x" }),
                _ => json!({}),
            };
            theirs.call(method, &path, Some(&body), &[]).await.refused(404);
        } else if method == Method::GET {
            let found = theirs.get(&with_query(&path, &[("ids", known)])).await.ok();
            assert_eq!((&found["data"], &found["pageInfo"]["total"]), (&json!([]), &json!(0)), "{path}");
        }
    }
    let deploy = mine.get(&format!("/deploys/{}", stock.of_path("/deploys"))).await.ok();
    assert_eq!(deploy["status"], "completed");
    mine.get(&format!("/apps/{}", stock.of_path("/apps"))).await.ok();
}

#[tokio::test]
async fn nothing_of_another_workspace_can_be_named() {
    let (_server, _mine, theirs, stock) = two_workspaces().await;
    let own = id(&theirs.post("/apps", json!({ "name": "Theirs" })).await.made());
    let [app, version, build, workspace] =
        ["/apps", "/app-versions", "/builds", "/workspaces"].map(|path| stock.of_path(path));
    for list in ["/deploys", "/builds", "/apps", "/events", "/api-keys", "/webhook-subscriptions"] {
        let found = theirs.get(&with_query(list, &[("workspace_id", workspace)])).await.ok();
        assert_eq!(found["data"], json!([]), "{list}");
    }
    let filter = json!({ "app": { "id": app }, "workspace": { "id": workspace } }).to_string();
    assert_eq!(theirs.get(&with_query("/deploys", &[("filter", &filter)])).await.ok()["data"], json!([]));
    for (path, body) in [
        ("/deploys", json!({ "appId": app })),
        ("/deploys", json!({ "buildId": build })),
        ("/builds", json!({ "appVersionId": version })),
        ("/app-versions", json!({ "appId": app })),
        ("/app-versions", json!({ "appId": own, "parentId": version })),
        ("/apps", json!({ "name": "x", "workspaceId": workspace })),
        ("/api-keys", json!({ "name": "x", "permission": "read", "appIds": [app] })),
        (
            "/webhook-subscriptions",
            json!({ "name": "x", "url": "https://a.example/", "workspaceId": workspace }),
        ),
    ] {
        theirs.post(path, body.clone()).await.refused(404);
    }
}

//! What is handed to the runtime of Functions, what comes of it, and what comes back for a deployment's assets.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use offprint_edge::{Edge, EdgeOptions};
use offprint_functions::{
    Body, CheckFailure, Declined, DeploymentKey, FunctionRuntime, Visitor, empty, full,
};
use offprint_model::deployment::Deployment;
use offprint_model::name::{Hostname, ProjectName};
use offprint_model::request_path::Scheme;
use offprint_store::ShortId;

use crate::cases::Answer;
use crate::house::{Content, House, ask, get};

/// A runtime that says whom it was to answer for; or declines to.
#[derive(Default)]
struct Talker {
    declines: Option<bool>,
    visitors: Mutex<Vec<(Visitor, HeaderMap)>>,
    forgotten: Mutex<Vec<DeploymentKey>>,
}

impl FunctionRuntime for Talker {
    fn answer(
        &self,
        key: DeploymentKey,
        visitor: Visitor,
        request: Request<Body>,
    ) -> BoxFuture<'_, Result<Response<Body>, Box<Declined>>> {
        let (head, _) = request.into_parts();
        self.visitors.lock().unwrap().push((visitor, head.headers.clone()));
        let told = Response::new(full(format!("{key} {} {}", head.method, head.uri)));
        Box::pin(async move {
            let Some(fail_open) = self.declines else { return Ok(told) };
            let mut response = Response::new(full("no"));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            Err(Box::new(Declined { head, fail_open, response }))
        })
    }

    fn check(&self, _: DeploymentKey) -> BoxFuture<'_, Result<Vec<String>, CheckFailure>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn forget(&self, key: DeploymentKey) -> BoxFuture<'_, ()> {
        self.forgotten.lock().unwrap().push(key);
        Box::pin(async {})
    }

    fn live_processes(&self) -> usize {
        0
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A site with a Worker below `/api/`.
fn with_worker(assets: &[(&str, &str)]) -> Content {
    let routes = r#"{"version":1,"include":["/api/*"],"exclude":["/api/static/*"]}"#;
    Content { has_worker: true, routes: Some(routes.to_owned()), ..Content::of(assets) }
}

async fn edge_with(house: &House, talker: &Arc<Talker>) -> Edge {
    let options = EdgeOptions { trust_proxy: true, ..EdgeOptions::new("pages.dev") };
    house.edge_running(Arc::clone(talker) as Arc<dyn FunctionRuntime>, options).await
}

fn key(project: &str, deployment: &Deployment) -> DeploymentKey {
    DeploymentKey {
        project: ProjectName::parse(project).unwrap(),
        deployment: ShortId::parse(deployment.id.short()).unwrap(),
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_worker_gets_what_its_routes_name_and_nothing_else() {
    let house = House::open().await;
    let app = house.project("app").await;
    let content = with_worker(&[("/index.html", "static"), ("/api/static/x", "excluded")]);
    let deployment = house.deploy(&app, "main", &content).await;
    let talker = Arc::new(Talker::default());
    let edge = edge_with(&house, &talker).await;
    assert_eq!(get(&edge, "app.pages.dev", "/").await.body, "static");
    assert_eq!(get(&edge, "app.pages.dev", "/api/static/x").await.body, "excluded");
    assert!(talker.visitors.lock().unwrap().is_empty());

    let answer = get(&edge, "app.pages.dev", "/api/x?y=1").await;
    assert_eq!(text(&answer), format!("{}.app GET /api/x?y=1", deployment.id.short()));
    assert!(answer.headers.is_empty(), "no rule of the site touches it: {:?}", answer.headers);
    let post = Request::post("/api/").header("host", "app.pages.dev").body(()).unwrap();
    assert!(text(&ask(&edge, post).await).ends_with("POST /api/"));
    let tunnel = Request::builder().method(Method::CONNECT).uri("/api/x").header("host", "app.pages.dev");
    assert_eq!(ask(&edge, tunnel.body(()).unwrap()).await.status, 405);
}

/// The content is the same, so the site is: only the deployment tells them apart.
#[tokio::test]
async fn a_host_leads_to_the_worker_of_its_deployment() {
    let house = House::open().await;
    let app = house.project("app").await;
    house.add_domain(&app, &Hostname::parse("www.app.example").unwrap()).await;
    let content = with_worker(&[("/index.html", "static")]);
    let first = house.deploy(&app, "main", &content).await;
    let branch = house.deploy(&app, "feature", &content).await;
    let second = house.deploy(&app, "main", &content).await;
    let edge = edge_with(&house, &Arc::default()).await;
    let own = format!("{}.app.pages.dev", first.id.short());
    let leads = async |host: &str, deployment: &Deployment| {
        let told = text(&get(&edge, host, "/api/x").await);
        assert!(told.starts_with(deployment.id.short()), "{host}: {told}");
    };
    for host in ["app.pages.dev", "www.app.example"] {
        leads(host, &second).await;
    }
    leads("feature.app.pages.dev", &branch).await;
    leads(&own, &first).await;

    house.store.rollback(&app, &first.id).await.unwrap();
    edge.refresh().await.unwrap();
    leads("app.pages.dev", &first).await;
    leads("feature.app.pages.dev", &branch).await;
}

#[tokio::test]
async fn the_visitor_is_who_the_proxy_in_front_has_seen() {
    let house = House::open().await;
    let app = house.project("app").await;
    house.deploy(&app, "main", &with_worker(&[])).await;
    let talker = Arc::new(Talker::default());
    let trusting = edge_with(&house, &talker).await;
    let shared = Arc::clone(&talker) as Arc<dyn FunctionRuntime>;
    let plain = house.edge_running(shared, EdgeOptions::new("pages.dev")).await;
    for (edge, lines, address, scheme, left) in [
        (&trusting, &["203.0.113.9, 198.51.100.7"][..], "198.51.100.7", Scheme::Https, Some("203.0.113.9")),
        (&trusting, &["203.0.113.9", "2001:db8::1"], "2001:db8::1", Scheme::Https, Some("203.0.113.9")),
        (&trusting, &["198.51.100.7:4711"], "198.51.100.7", Scheme::Https, None),
        (&trusting, &["a, unknown"], "127.0.0.1", Scheme::Https, Some("a, unknown")),
        (&trusting, &[], "127.0.0.1", Scheme::Https, None),
        (&plain, &["203.0.113.9, 198.51.100.7"], "127.0.0.1", Scheme::Http, None),
    ] {
        let mut request = Request::get("/api/x").header("host", "app.pages.dev");
        request = request.header("x-forwarded-proto", "https").header("forwarded", "for=192.0.2.1");
        request = request.header("cf-access-authenticated-user-email", "root@app.example");
        for line in lines {
            request = request.header("x-forwarded-for", *line);
        }
        ask(edge, request.body(()).unwrap()).await;
        let (seen, headers) = talker.visitors.lock().unwrap().pop().unwrap();
        assert_eq!((seen.address, seen.scheme), (Some(address.parse().unwrap()), scheme), "{lines:?}");
        assert_eq!(headers.get("x-forwarded-for").map(|list| list.to_str().unwrap()), left, "{lines:?}");
        for claim in ["forwarded", "cf-access-authenticated-user-email"] {
            assert_eq!(headers.contains_key(claim), scheme == Scheme::Https, "{claim}");
        }
    }
}

#[tokio::test]
async fn where_functions_do_not_run_a_project_fails_as_it_wants_to() {
    let house = House::open().await;
    let app = house.project("app").await;
    let assets = [("/index.html", "front"), ("/about.html", "about"), ("/old.html", "old")];
    let content = Content {
        has_worker: true,
        redirects: Some("/old /about 301".to_owned()),
        headers: Some("/*\n  x-rule: yes".to_owned()),
        ..Content::of(&assets)
    };
    house.deploy(&app, "main", &content).await;
    let edge = async |fail_open, strict| {
        let talker = Arc::new(Talker { declines: Some(fail_open), ..Talker::default() });
        house.edge_running(talker, EdgeOptions { strict, ..EdgeOptions::new("pages.dev") }).await
    };
    let (closed, open, strict) = (edge(false, false).await, edge(true, false).await, edge(true, true).await);
    for (path, of_closed, of_open, of_strict) in [
        ("/", (503, "no"), (200, "front"), (200, "front")),
        ("/about", (503, "no"), (200, "about"), (200, "about")),
        ("/old", (503, "no"), (301, "Redirecting to /about"), (301, "Redirecting to /about")),
        // It is a single-page site: the front page is no answer of a Function.
        ("/api/hello", (503, "no"), (503, "no"), (200, "front")),
    ] {
        for (edge, expected) in [(&closed, of_closed), (&open, of_open), (&strict, of_strict)] {
            let answer = get(edge, "app.pages.dev", path).await;
            assert_eq!((answer.status, &*text(&answer)), expected, "{path}");
            assert_eq!(answer.headers.contains_key("x-rule"), expected.1 != "no", "{path}");
        }
    }
    let post = Request::post("/about").header("host", "app.pages.dev").body(()).unwrap();
    assert_eq!(ask(&open, post).await.status, 503);
}

/// Asks as a Worker of a deployment does.
async fn fetch(edge: &Edge, key: &DeploymentKey, request: http::request::Builder) -> Answer {
    let (parts, body) = edge.assets_handler()(key.clone(), request.body(empty()).unwrap()).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

#[tokio::test]
async fn a_worker_finds_the_assets_of_its_own_deployment_at_any_host() {
    let house = House::open().await;
    let app = house.project("app").await;
    let content = |text: &'static str| Content {
        has_worker: true,
        redirects: Some("/old /new 301".to_owned()),
        headers: Some("/*\n  x-rule: yes".to_owned()),
        ..Content::of(&[("/index.html", text), ("/404.html", "missing")])
    };
    let first = house.deploy(&app, "main", &content("one")).await;
    let second = house.deploy(&app, "main", &content("two")).await;
    let edge = edge_with(&house, &Arc::default()).await;
    for (deployment, page) in [(&first, "one"), (&second, "two")] {
        let key = key("app", deployment);
        for (host, is_preview) in
            [("app.pages.dev", false), ("x.app.pages.dev", true), ("assets.invalid", false)]
        {
            let answer = fetch(&edge, &key, Request::get(format!("https://{host}/"))).await;
            assert_eq!((answer.status, &*text(&answer)), (200, page), "{host}");
            assert_eq!(answer.headers.contains_key("x-robots-tag"), is_preview, "{host}");
            assert_eq!(answer.headers["x-rule"], "yes");
        }
        let answer = fetch(&edge, &key, Request::get("https://app.pages.dev/old?q")).await;
        assert_eq!((answer.status, &answer.headers["location"]), (301, &"/new?q".parse().unwrap()));
        assert_eq!(fetch(&edge, &key, Request::get("http://h/nothing")).await.status, 404);
        assert_eq!(fetch(&edge, &key, Request::post("http://h/")).await.status, 405);
    }
    house.store.delete_deployment(&app, &first.id, true).await.unwrap();
    edge.refresh().await.unwrap();
    assert_eq!(fetch(&edge, &key("app", &first), Request::get("http://h/")).await.status, 410);
}

/// workerd takes gzip apart when a Worker reads what it gets, and little else.
#[tokio::test]
async fn a_worker_gets_compressed_assets_only_in_the_form_that_it_can_read() {
    let house = House::open().await;
    let app = house.project("app").await;
    let page = "a page that is worth compressing ".repeat(40);
    let deployment = house.deploy(&app, "main", &with_worker(&[("/index.html", &page)])).await;
    house.compress(&page).await;
    let edge = edge_with(&house, &Arc::default()).await;
    let key = key("app", &deployment);
    for (accepted, coding) in [
        (Some("gzip, br, zstd"), Some("gzip")),
        (Some("br"), None),
        (Some("gzip;q=0, br"), None),
        (None, None),
    ] {
        let mut request = Request::get("https://app.pages.dev/");
        if let Some(accepted) = accepted {
            request = request.header("accept-encoding", accepted);
        }
        let answer = fetch(&edge, &key, request).await;
        let found = answer.headers.get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!(found, coding, "{accepted:?}");
    }
}

#[tokio::test]
async fn the_runtime_hears_of_deployments_that_are_no_more() {
    let house = House::open().await;
    let (app, other) = (house.project("app").await, house.project("other").await);
    let first = house.deploy(&app, "main", &with_worker(&[("/index.html", "1")])).await;
    house.deploy(&app, "main", &with_worker(&[("/index.html", "2")])).await;
    let whole = house.deploy(&other, "main", &with_worker(&[("/index.html", "3")])).await;
    let talker = Arc::new(Talker::default());
    let edge = edge_with(&house, &talker).await;
    house.store.delete_deployment(&app, &first.id, true).await.unwrap();
    edge.refresh().await.unwrap();
    house.store.delete_project(&other).await.unwrap();
    edge.refresh().await.unwrap();
    let forgotten = || talker.forgotten.lock().unwrap().clone();
    while forgotten().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(forgotten(), [key("app", &first), key("other", &whole)]);
}

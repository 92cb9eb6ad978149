//! Where hosts lead, and what is answered where they lead to no site.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use offprint_edge::{Destination, Edge};
use offprint_model::name::Hostname;

use crate::house::{Content, House, ask, get};

fn page(text: &str) -> Content {
    Content::of(&[("/index.html", text)])
}

#[tokio::test]
async fn hosts_without_a_site_say_what_is_missing() {
    let house = House::open().await;
    let blog = house.project("blog").await;
    house.project("empty").await;
    let old = house.deploy(&blog, "main", &page("old")).await;
    house.deploy(&blog, "main", &page("new")).await;
    house.store.delete_deployment(&blog, &old.id, true).await.unwrap();
    let edge = house.edge().await;

    let deleted = format!("{}.blog.pages.dev", old.id.short());
    for (host, status, words) in [
        ("nobody.pages.dev", 404, "no site here"),
        ("feature.blog.pages.dev", 404, "no site here"),
        ("empty.pages.dev", 404, "Nothing has been deployed"),
        (&deleted, 410, "was deleted"),
    ] {
        let answer = get(&edge, host, "/").await;
        assert_eq!(answer.status, status, "{host}");
        assert!(String::from_utf8_lossy(&answer.body).contains(words), "{host}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

fn is_site(edge: &Edge, request: &Request<()>) -> bool {
    matches!(edge.destination(request), Destination::Site(_))
}

#[tokio::test]
async fn sites_own_their_hosts_and_the_platform_the_rest() {
    let house = House::open().await;
    let blog = house.project("blog").await;
    house.add_domain(&blog, &Hostname::parse("www.blog.example").unwrap()).await;
    let edge = house.edge().await;
    for (host, owned) in [
        ("blog.pages.dev", true),
        ("x.blog.pages.dev:8788", true),
        ("nobody.PAGES.dev", true),
        ("www.blog.example", true),
        ("pages.dev", false),
        ("blog.example", false),
        ("127.0.0.1:8788", false),
    ] {
        let request = Request::get("/").header("host", host).body(()).unwrap();
        assert_eq!(is_site(&edge, &request), owned, "{host}");
    }
    let http2 = Request::get("https://blog.pages.dev/").version(http::Version::HTTP_2).body(()).unwrap();
    assert!(is_site(&edge, &http2), "the host is in the target");
    let http10 = Request::get("/").version(http::Version::HTTP_10).body(()).unwrap();
    assert!(!is_site(&edge, &http10), "no host at all");
}

#[tokio::test]
async fn an_activation_is_seen_after_a_poke() {
    let house = House::open().await;
    let blog = house.project("blog").await;
    let first = house.deploy(&blog, "main", &page("one")).await;
    let edge = house.edge().await;
    assert_eq!(get(&edge, "blog.pages.dev", "/").await.body, "one");

    let second = house.deploy(&blog, "main", &page("two")).await;
    house.wake.edge();
    let seen = async {
        while get(&edge, "blog.pages.dev", "/").await.body != "two" {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), seen).await.unwrap();
    // Every deployment keeps its own address.
    for (deployment, text) in [(first, "one"), (second, "two")] {
        let answer = get(&edge, &format!("{}.blog.pages.dev", deployment.id.short()), "/").await;
        assert_eq!(answer.body, text);
        assert_eq!(answer.headers["x-robots-tag"], "noindex");
    }
}

#[tokio::test]
async fn a_rollback_brings_the_old_site_back() {
    let house = House::open().await;
    let blog = house.project("blog").await;
    let first = house.deploy(&blog, "main", &page("one")).await;
    house.deploy(&blog, "main", &page("two")).await;
    let edge = house.edge().await;
    let before = edge.revision();
    house.store.rollback(&blog, &first.id).await.unwrap();
    edge.refresh().await.unwrap();
    assert!(edge.revision() > before);
    assert_eq!(get(&edge, "blog.pages.dev", "/").await.body, "one");
}

#[tokio::test]
async fn large_assets_are_streamed_whole() {
    let house = House::open().await;
    let files = house.project("files").await;
    let large: Bytes = (0..3_000_017_u32).map(|number| (number % 251) as u8).collect::<Vec<u8>>().into();
    let content = Content { assets: vec![("/large.bin".to_owned(), large.clone())], ..Content::default() };
    house.deploy(&files, "main", &content).await;
    let edge = house.edge().await;
    let answer = get(&edge, "files.pages.dev", "/large.bin").await;
    assert!(answer.status == 200 && answer.body == large);
    let head = Request::head("/large.bin").header("host", "files.pages.dev").body(()).unwrap();
    let answer = ask(&edge, head).await;
    assert_eq!(answer.headers["content-length"], "3000017");
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn early_hints_come_with_the_first_answer() {
    let house = House::open().await;
    let blog = house.project("blog").await;
    let html = r#"<link rel="preload" href="/a.css" as="style"><base href="https://cdn.example/">"#;
    let plain = r#"<link rel="preload" href="/a.css" as="style">"#;
    let content = Content::of(&[("/index.html", plain), ("/based.html", html), ("/404.html", plain)]);
    house.deploy(&blog, "main", &content).await;
    let edge = house.edge().await;
    let link = |path: &'static str| {
        let edge = edge.clone();
        async move { get(&edge, "blog.pages.dev", path).await.headers.get("link").cloned() }
    };
    assert_eq!(link("/").await.unwrap(), "</a.css>; rel=\"preload\"; as=style");
    assert_eq!(link("/based").await.unwrap(), "<https://cdn.example/a.css>; rel=\"preload\"; as=style");
    assert_eq!(link("/missing").await, None);
}

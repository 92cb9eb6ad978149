//! Web Analytics (Cloudflare Pages serving rules, "Web Analytics").

use http::Request;
use offprint_model::config::BuildConfig;

use crate::house::{Content, House, ask, get};

const PAGE: &str = "<!doctype html><title>t</title><body><p>hello</p></body>";
const SNIPPET: &str = "<!-- Cloudflare Pages Analytics --><script defer \
    src='https://static.cloudflareinsights.com/beacon.min.js' \
    data-cf-beacon='{\"token\": \"0123456789abcdef\"}'></script><!-- Cloudflare Pages Analytics -->";

async fn measured(token: Option<&str>) -> House {
    let house = House::open().await;
    let config = BuildConfig {
        web_analytics_tag: Some("tag".into()),
        web_analytics_token: token.map(str::to_owned),
        ..BuildConfig::default()
    };
    let project = house.project_with("site", config).await;
    let files = [("/index.html", PAGE), ("/404.html", PAGE), ("/bare.html", "<p>no body"), ("/a.txt", PAGE)];
    house.deploy(&project, "main", &Content::of(&files)).await;
    house
}

#[tokio::test]
async fn pages_are_measured_and_nothing_else() {
    let house = measured(Some("0123456789abcdef")).await;
    for edge in [house.edge().await, house.strict_edge().await] {
        let page = get(&edge, "site.pages.dev", "/").await;
        let expected = PAGE.replace("</body>", &format!("{SNIPPET}</body>"));
        assert_eq!(String::from_utf8_lossy(&page.body), expected);
        assert_eq!(page.headers["x-cf-pages-analytics"], "1");
        assert_eq!(page.headers["etag"].to_str().unwrap().len(), 34, "the key, unchanged");

        let head = Request::head("/").header("host", "site.pages.dev").body(()).unwrap();
        let head = ask(&edge, head).await;
        assert_eq!(head.headers["x-cf-pages-analytics"], "1");
        assert_eq!(head.headers["content-length"], expected.len().to_string());

        let bare = get(&edge, "site.pages.dev", "/bare").await;
        assert_eq!(
            (&bare.body[..], bare.headers.contains_key("x-cf-pages-analytics")),
            (&b"<p>no body"[..], true)
        );
        for (path, status) in [("/missing", 404), ("/a.txt", 200)] {
            let answer = get(&edge, "site.pages.dev", path).await;
            assert_eq!((answer.status, &answer.body[..]), (status, PAGE.as_bytes()), "{path}");
            assert!(!answer.headers.contains_key("x-cf-pages-analytics"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_tag_alone_measures_nothing() {
    let house = measured(None).await;
    let edge = house.edge().await;
    let page = get(&edge, "site.pages.dev", "/").await;
    assert!(page.body == PAGE && !page.headers.contains_key("x-cf-pages-analytics"));
}

#[tokio::test]
async fn a_measured_page_has_no_parts() {
    let house = measured(Some("0123456789abcdef")).await;
    let edge = house.edge().await;
    let request = Request::get("/").header("host", "site.pages.dev").header("range", "bytes=0-3");
    let answer = ask(&edge, request.body(()).unwrap()).await;
    assert!(answer.status == 200 && !answer.headers.contains_key("accept-ranges"));
}

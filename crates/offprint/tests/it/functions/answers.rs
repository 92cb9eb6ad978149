//! What a visitor gets of a Function's answer, and of the assets behind it.

use serde_json::json;

use super::{HOST, answering, deployed, functions, metric};
use crate::support::{Site, TestServer, client, host_of};

async fn ask(server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let client = client().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client.request(method.parse().unwrap(), format!("{}{path}", server.origin()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.header("host", HOST).send().await.unwrap()
}

#[tokio::test]
async fn an_answer_passes_as_it_is() {
    let server = functions!();
    let site = answering(
        "if (new URL(request.url).pathname === '/empty') return new Response(null, { status: 204 });
        const headers = new Headers({ 'content-type': 'text/x-own', 'x-own': 'yes', 'etag': '\"own\"' });
        headers.append('set-cookie', 'a=1; Path=/'); headers.append('set-cookie', 'b=2');
        return new Response('body', { status: 418, headers });",
    );
    deployed(&server, &site.file("_headers", "/*\n  X-Rule: yes\n")).await;
    for method in ["GET", "HEAD", "POST", "OPTIONS", "PATCH"] {
        let answer = ask(&server, method, "/", &[]).await;
        assert_eq!(answer.status(), 418, "{method}");
        let headers = answer.headers().clone();
        assert_eq!(
            (&headers["content-type"], &headers["etag"]),
            (&"text/x-own".parse().unwrap(), &"\"own\"".parse().unwrap())
        );
        assert_eq!(headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1; Path=/", "b=2"]);
        for of_assets in
            ["x-rule", "access-control-allow-origin", "referrer-policy", "x-content-type-options"]
        {
            assert!(!headers.contains_key(of_assets), "{of_assets}");
        }
        let body = answer.text().await.unwrap();
        assert_eq!(body, if method == "HEAD" { "" } else { "body" }, "{method}");
    }
    let empty = ask(&server, "GET", "/empty", &[]).await;
    assert_eq!((empty.status().as_u16(), empty.content_length().unwrap_or(0)), (204, 0));
}

#[tokio::test]
async fn an_exception_is_an_answer_and_the_next_request_has_another() {
    let server = functions!();
    let site = answering(
        "if (request.url.endsWith('/boom')) throw new Error('private words'); return new Response('fine')",
    );
    deployed(&server, &site).await;
    let answer = ask(&server, "GET", "/boom", &[]).await;
    assert_eq!(answer.status(), 500);
    assert!(!answer.text().await.unwrap().contains("private words"));
    assert_eq!(server.page(HOST, "/").await, "fine");
}

/// Through middleware, so to speak: what is fetched from the assets, by the path of the request.
const BEHIND: &str = "
    const url = new URL(request.url);
    if (url.pathname === '/by-name') return env.ASSETS.fetch('http://assets.invalid/about');
    if (url.pathname === '/by-url') return env.ASSETS.fetch(new URL('/about.html', request.url));
    if (url.pathname === '/rewritten') {
        const page = await env.ASSETS.fetch(new Request(new URL('/long', url), request));
        return new HTMLRewriter().on('h1', { element(h1) { h1.setInnerContent('rewritten') } }).transform(page);
    }
    const page = await env.ASSETS.fetch(request);
    if (url.pathname === '/read') return new Response(await (await env.ASSETS.fetch(new Request(new URL('/long', url), request))).text());
    const answer = new Response(page.body, page);
    answer.headers.set('x-worker', 'yes');
    return answer;";

#[tokio::test]
async fn assets_behind_a_worker_keep_their_rules() {
    let server = functions!();
    let site = answering(BEHIND)
        .asset("/about.html", "about")
        .asset("/404.html", "missing")
        .file("_headers", "/about\n  X-Rule: yes\n")
        .file("_redirects", "/old /about 301\n");
    let api = deployed(&server, &site).await;
    let answer = ask(&server, "GET", "/about", &[]).await;
    let headers = answer.headers().clone();
    assert_eq!(
        (&headers["x-worker"], &headers["x-rule"]),
        (&"yes".parse().unwrap(), &"yes".parse().unwrap())
    );
    assert_eq!(headers["access-control-allow-origin"], "*");
    let tag = headers["etag"].to_str().unwrap();
    assert_eq!(ask(&server, "GET", "/about", &[("if-none-match", tag)]).await.status(), 304);
    assert_eq!(ask(&server, "GET", "/about.html", &[]).await.headers()["location"], "/about");
    assert_eq!(ask(&server, "GET", "/old", &[]).await.headers()["location"], "/about");
    assert_eq!(ask(&server, "GET", "/nothing", &[]).await.status(), 404);
    assert_eq!(ask(&server, "POST", "/about", &[]).await.status(), 405);
    // A request of the Worker's own follows redirects.
    for path in ["/by-name", "/by-url"] {
        assert_eq!(server.page(HOST, path).await, "about", "{path}");
    }
    let preview = site.branch("feature").deploy(&api, "demo").await;
    let host = host_of(preview["url"].as_str().unwrap());
    assert_eq!(server.site(host, "/about").await.headers()["x-robots-tag"], "noindex");
}

#[tokio::test]
async fn a_worker_reads_and_passes_on_compressed_assets() {
    let server = functions!();
    let page = format!("<h1>title</h1>{}", "a long page ".repeat(200));
    let api = deployed(&server, &answering(BEHIND).asset("/long.html", &page)).await;
    // The variants are made in the background; a site without a Worker shows when.
    api.create_project("plain").await;
    Site::new().asset("/long.html", &page).deploy(&api, "plain").await;
    super::eventually("the page is compressed", async || {
        let request = reqwest::Client::new().get(format!("{}/long", server.origin()));
        let answer = request.header("host", "plain.pages.localhost").header("accept-encoding", "gzip").send();
        answer.await.unwrap().headers().contains_key("content-encoding")
    })
    .await;
    for (accepted, coding) in [("gzip, br", Some("gzip")), ("br", None), ("identity", None)] {
        let answer = ask(&server, "GET", "/long", &[("accept-encoding", accepted)]).await;
        let found =
            answer.headers().get("content-encoding").map(|coding| coding.to_str().unwrap().to_owned());
        assert_eq!(found.as_deref(), coding, "{accepted}");
        let bytes = answer.bytes().await.unwrap();
        assert_eq!(unzipped(&bytes, coding.is_some()), page, "{accepted}");

        let answer = ask(&server, "GET", "/rewritten", &[("accept-encoding", accepted)]).await;
        let is_coded = answer.headers().contains_key("content-encoding");
        let rewritten = unzipped(&answer.bytes().await.unwrap(), is_coded);
        assert_eq!(rewritten, page.replace("title", "rewritten"), "{accepted}");
        let read = ask(&server, "GET", "/read", &[("accept-encoding", accepted)]).await;
        assert_eq!(read.text().await.unwrap(), page, "{accepted}");
    }
}

fn unzipped(bytes: &[u8], is_coded: bool) -> String {
    let mut text = String::new();
    if is_coded {
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes), &mut text).unwrap();
    } else {
        text = String::from_utf8(bytes.to_vec()).unwrap();
    }
    text
}

#[tokio::test]
async fn static_requests_start_nothing() {
    let server = functions!(&[("OFFPRINT_FUNCTIONS_IDLE", "1")]);
    let routes = json!({ "version": 1, "include": ["/api/*"], "exclude": [] });
    let site = answering("return new Response('fine')").file("_routes.json", routes.to_string());
    deployed(&server, &site).await;
    super::eventually("what the deployment started is stopped", async || {
        metric(&server, "offprint_function_processes").await == 0.0
    })
    .await;
    for path in ["/", "/index.html", "/nothing"] {
        server.site(HOST, path).await;
    }
    assert_eq!(metric(&server, "offprint_function_processes").await, 0.0);
    assert_eq!(server.page(HOST, "/api/x").await, "fine");
    assert_eq!(metric(&server, "offprint_function_processes").await, 1.0);
    assert_eq!(
        metric(&server, "offprint_function_starts_total").await,
        2.0,
        "the deployment's check, and now"
    );
    assert_eq!(
        metric(&server, r#"offprint_http_requests_total{surface="function",status="200",cache="none"}"#)
            .await,
        1.0
    );
}

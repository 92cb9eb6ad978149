//! Compressed variants: who gets which, and what the headers say of it.

use http::Request;
use offprint_edge::{Edge, EdgeOptions};
use offprint_model::config::BuildConfig;
use offprint_model::encoding::Encoding;
use offprint_store::compress::decompress;

use crate::cases::Answer;
use crate::house::{Content, House, ask};

async fn ask_for(edge: &Edge, path: &str, accept: &str) -> Answer {
    let request = Request::get(path).header("host", "site.pages.dev").header("accept-encoding", accept);
    ask(edge, request.body(()).unwrap()).await
}

fn text() -> String {
    "A line that is not the first of its kind.\n".repeat(100)
}

fn encoding_of(answer: &Answer) -> Option<Encoding> {
    let token = answer.headers.get("content-encoding")?.to_str().unwrap();
    Some(Encoding::ALL.into_iter().find(|encoding| encoding.token() == token).unwrap())
}

fn plain(answer: &Answer) -> String {
    let bytes = match encoding_of(answer) {
        Some(encoding) => decompress(&answer.body, encoding, 1 << 20).unwrap(),
        None => answer.body.to_vec(),
    };
    String::from_utf8(bytes).unwrap()
}

/// A site whose text has its variants.
async fn site(headers: Option<&str>) -> House {
    let house = House::open().await;
    let project = house.project("site").await;
    let text = text();
    let files = [("/a.txt", text.as_str()), ("/404.html", &text), ("/short.txt", "short"), ("/a.bin", &text)];
    let content = Content { headers: headers.map(str::to_owned), ..Content::of(&files) };
    house.deploy(&project, "main", &content).await;
    house.compress(&text).await;
    house
}

#[tokio::test]
async fn the_client_gets_what_it_likes_best() {
    let house = site(None).await;
    let edge = house.edge().await;
    for (accept, token) in [
        ("gzip, deflate, br, zstd", Some("br")),
        ("gzip, zstd", Some("zstd")),
        ("gzip", Some("gzip")),
        ("br;q=0.5, gzip", Some("gzip")),
        ("br;q=0, *", Some("zstd")),
        ("identity, br;q=0.5", None),
        ("deflate", None),
        ("", None),
    ] {
        let answer = ask_for(&edge, "/a.txt", accept).await;
        let found = answer.headers.get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!((answer.status, found), (200, token), "{accept}");
        assert_eq!(plain(&answer), text(), "{accept}");
        assert_eq!(answer.headers["vary"], "accept-encoding", "{accept}");
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        let tag = answer.headers["etag"].to_str().unwrap();
        assert_eq!(tag.starts_with("W/"), token.is_some(), "{accept}");
        let again = Request::get("/a.txt").header("host", "site.pages.dev").header("if-none-match", tag);
        let again = ask(&edge, again.header("accept-encoding", accept).body(()).unwrap()).await;
        assert_eq!((again.status, &again.headers["vary"]), (304, &"accept-encoding".parse().unwrap()));
    }
    let nothing = ask_for(&edge, "/short.txt", "identity;q=0, br").await;
    assert_eq!(nothing.status, 406, "too short to have variants");
}

#[tokio::test]
async fn head_says_the_length_of_the_variant() {
    let house = site(None).await;
    let edge = house.edge().await;
    let whole = ask_for(&edge, "/a.txt", "br").await;
    let head = Request::head("/a.txt").header("host", "site.pages.dev").header("accept-encoding", "br");
    let head = ask(&edge, head.body(()).unwrap()).await;
    assert_eq!(head.headers["content-length"], whole.body.len().to_string());
    assert_eq!(head.headers["content-encoding"], "br");
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn only_what_gains_is_compressed() {
    let house = site(None).await;
    let edge = house.edge().await;
    for (path, negotiated) in [("/missing", true), ("/short.txt", false), ("/a.bin", false)] {
        let answer = ask_for(&edge, path, "br").await;
        assert_eq!(encoding_of(&answer).is_some(), negotiated, "{path}");
        assert_eq!(answer.headers.contains_key("vary"), negotiated, "{path}");
    }
    let missing = ask_for(&edge, "/missing", "br").await;
    assert_eq!((missing.status, missing.headers.contains_key("etag")), (404, false));
    assert_eq!(plain(&missing), text());
}

#[tokio::test]
async fn a_part_is_of_the_plain_form() {
    let house = site(None).await;
    let edge = house.edge().await;
    let request = Request::get("/a.txt").header("host", "site.pages.dev").header("accept-encoding", "br");
    let answer = ask(&edge, request.header("range", "bytes=0-5").body(()).unwrap()).await;
    assert_eq!((answer.status, &answer.body[..], encoding_of(&answer)), (206, &b"A line"[..], None));
    assert_eq!(answer.headers["content-range"], format!("bytes 0-5/{}", text().len()));
    assert!(answer.headers["etag"].to_str().unwrap().starts_with('"'));
}

#[tokio::test]
async fn the_site_has_the_last_word() {
    for rule in ["Cache-Control: public, No-Transform", "Content-Encoding: identity"] {
        let house = site(Some(&format!("/a.txt\n  {rule}\n"))).await;
        let edge = house.edge().await;
        let answer = ask_for(&edge, "/a.txt", "br").await;
        assert_eq!(answer.body, text(), "{rule}");
        assert!(answer.headers["etag"].to_str().unwrap().starts_with('"'), "{rule}");
    }
    let house = site(Some("/a.txt\n  Vary: Cookie\n  ETag: \"mine\"\n")).await;
    let edge = house.edge().await;
    let answer = ask_for(&edge, "/a.txt", "br").await;
    assert_eq!(
        (encoding_of(&answer), &answer.headers["etag"]),
        (Some(Encoding::Brotli), &"\"mine\"".parse().unwrap())
    );
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Cookie", "accept-encoding"]);
}

#[tokio::test]
async fn variants_are_noticed_when_they_come() {
    let house = House::open().await;
    let project = house.project("site").await;
    house.deploy(&project, "main", &Content::of(&[("/a.txt", &text())])).await;
    let edge = house.edge().await;
    let before = ask_for(&edge, "/a.txt", "br").await;
    assert_eq!((encoding_of(&before), &before.headers["vary"]), (None, &"accept-encoding".parse().unwrap()));
    house.compress(&text()).await;
    let seen = async {
        while encoding_of(&ask_for(&edge, "/a.txt", "br").await).is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), seen).await.unwrap();
}

#[tokio::test]
async fn large_variants_are_streamed() {
    let house = House::open().await;
    let project = house.project("site").await;
    // Compresses to less than half, and to more than the cache holds.
    let large: String =
        (0..8_000_u64).map(|number| format!("{:x} ", number.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    house.deploy(&project, "main", &Content::of(&[("/large.txt", &large)])).await;
    house.compress(&large).await;
    let edge = house.edge_with(EdgeOptions { cache_bytes: 64 << 10, ..EdgeOptions::new("pages.dev") }).await;
    let answer = ask_for(&edge, "/large.txt", "gzip").await;
    assert_eq!(encoding_of(&answer), Some(Encoding::Gzip));
    assert!(decompress(&answer.body, Encoding::Gzip, 1 << 30).unwrap() == large.as_bytes());
}

#[tokio::test]
async fn measured_pages_are_compressed_with_their_snippet() {
    let house = House::open().await;
    let token = Some("0123456789abcdef".to_owned());
    let config = BuildConfig {
        web_analytics_tag: token.clone(),
        web_analytics_token: token,
        ..BuildConfig::default()
    };
    let project = house.project_with("site", config).await;
    let page = format!("<body>{}</body>", text());
    house.deploy(&project, "main", &Content::of(&[("/index.html", &page)])).await;
    house.compress(&page).await;
    let edge = house.edge().await;
    for accept in ["br", "zstd", "gzip", "identity"] {
        let answer = ask_for(&edge, "/", accept).await;
        assert_eq!(encoding_of(&answer).is_some(), accept != "identity", "{accept}");
        assert!(plain(&answer).contains("beacon.min.js"), "{accept}");
    }
}

#[tokio::test]
async fn strict_sends_what_was_uploaded() {
    let house = site(None).await;
    let edge = house.strict_edge().await;
    let answer = ask_for(&edge, "/a.txt", "br").await;
    assert_eq!((encoding_of(&answer), answer.headers.contains_key("vary")), (None, false));
    assert_eq!(ask_for(&edge, "/a.txt", "br, identity;q=0").await.status, 406);
}

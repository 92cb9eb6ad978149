//! Parts of assets (RFC 9110, section 14).

use http::Request;
use offprint_edge::Edge;

use crate::cases::Answer;
use crate::house::{Content, House, ask};

async fn ask_part(edge: &Edge, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::get(path).header("host", "site.pages.dev");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    ask(edge, request.body(()).unwrap()).await
}

async fn site(content: Content) -> House {
    let house = House::open().await;
    let project = house.project("site").await;
    house.deploy(&project, "main", &content).await;
    house
}

#[tokio::test]
async fn a_part_is_sent_with_its_place() {
    let house = site(Content::of(&[("/a.txt", "0123456789"), ("/empty.txt", "")])).await;
    let edge = house.edge().await;
    for (range, status, content_range, body) in [
        ("bytes=2-4", 206, Some("bytes 2-4/10"), "234"),
        ("bytes=7-", 206, Some("bytes 7-9/10"), "789"),
        ("bytes=-2", 206, Some("bytes 8-9/10"), "89"),
        ("bytes=0-99", 206, Some("bytes 0-9/10"), "0123456789"),
        ("bytes=10-", 416, Some("bytes */10"), ""),
        ("bytes=0-1,3-4", 200, None, "0123456789"),
        ("lines=1-2", 200, None, "0123456789"),
        ("bytes=4-2", 200, None, "0123456789"),
    ] {
        let answer = ask_part(&edge, "/a.txt", &[("range", range)]).await;
        assert_eq!((answer.status, &answer.body[..]), (status, body.as_bytes()), "{range}");
        let found = answer.headers.get("content-range").map(|value| value.to_str().unwrap());
        assert_eq!(found, content_range, "{range}");
        assert_eq!(answer.headers.get("accept-ranges").is_some(), status != 416, "{range}");
        assert_eq!(answer.headers.get("etag").is_some(), status != 416, "{range}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{range}");
    }
    let empty = ask_part(&edge, "/empty.txt", &[("range", "bytes=0-")]).await;
    assert_eq!((empty.status, &empty.headers["content-range"]), (416, &"bytes */0".parse().unwrap()));
}

#[tokio::test]
async fn conditions_come_before_the_part() {
    let house = site(Content::of(&[("/a.txt", "0123456789")])).await;
    let edge = house.edge().await;
    let tag = ask_part(&edge, "/a.txt", &[]).await.headers["etag"].to_str().unwrap().to_owned();
    let weak = format!("W/{tag}");
    for (name, value, status) in [
        ("if-none-match", tag.as_str(), 304),
        ("if-range", &tag, 206),
        ("if-range", &weak, 200),
        ("if-range", "\"another\"", 200),
        ("if-range", "Wed, 21 Oct 2026 07:28:00 GMT", 200),
    ] {
        let answer = ask_part(&edge, "/a.txt", &[("range", "bytes=0-3"), (name, value)]).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
    let head = Request::head("/a.txt").header("host", "site.pages.dev").header("range", "bytes=0-3");
    let answer = ask(&edge, head.body(()).unwrap()).await;
    assert_eq!((answer.status, &answer.headers["content-length"]), (200, &"10".parse().unwrap()));
}

#[tokio::test]
async fn a_part_of_what_does_not_fit_in_memory_is_streamed() {
    let large: String = (0..3_000_000_u32).map(|number| char::from(b'a' + (number % 23) as u8)).collect();
    let house = site(Content::of(&[("/large.txt", &large)])).await;
    let mut options = offprint_edge::EdgeOptions::new("pages.dev");
    options.cache_bytes = 1 << 20;
    let edge = house.edge_with(options).await;
    for (range, expected) in [
        ("bytes=1000000-1999999", &large[1_000_000..2_000_000]),
        ("bytes=2999990-", &large[2_999_990..]),
        ("bytes=0-0", &large[..1]),
    ] {
        let answer = ask_part(&edge, "/large.txt", &[("range", range)]).await;
        assert!(answer.status == 206 && answer.body == expected, "{range}");
    }
}

#[tokio::test]
async fn strict_knows_no_parts() {
    let house = site(Content::of(&[("/a.txt", "0123456789")])).await;
    let edge = house.strict_edge().await;
    let answer = ask_part(&edge, "/a.txt", &[("range", "bytes=2-4")]).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"0123456789"[..]));
    for absent in ["accept-ranges", "cache-control", "content-range", "vary"] {
        assert!(!answer.headers.contains_key(absent), "{absent}");
    }
}

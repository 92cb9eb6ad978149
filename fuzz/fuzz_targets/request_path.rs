//! The way from a request target to an asset: parsing, decoding, resolution, canonical redirects.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use offprint_fuzz::check_location;
use offprint_model::fingerprint::is_fingerprinted;
use offprint_model::request_path::{RequestTarget, decode_path};
use offprint_model::resolve::{NotFound, Resolution, canonical_location, not_found, resolve};

const ASSETS: [&str; 14] = [
    "/index.html",
    "/404.html",
    "/a.html",
    "/a/b.html",
    "/a/index.html",
    "/a/404.html",
    "/both",
    "/both.html",
    "/x.html.html",
    "/index/index.html",
    "/caf\u{e9}.html",
    "/100%.txt",
    "/a b",
    "/d/.html",
];

fn lookup(path: &str) -> Option<&'static str> {
    ASSETS.into_iter().find(|asset| *asset == path)
}

fuzz_target!(|input: &[u8]| {
    let Ok(target) = std::str::from_utf8(input) else { return };
    let parsed = RequestTarget::parse(target);
    check_target(&parsed);
    let again = format!("{}{}", parsed.path, parsed.search);
    assert_eq!(RequestTarget::parse(&again), parsed, "parsing twice changes nothing");

    let decoded = decode_path(&parsed.path);
    check_decoded(&parsed.path, &decoded);
    assert!(decoded.starts_with(['/', '%']), "{decoded:?}");
    is_fingerprinted(&decoded);
    if decoded.starts_with('/') {
        follow(&decoded, &parsed.search);
    }
});

fn check_target(target: &RequestTarget<'_>) {
    let path = &*target.path;
    assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
    assert!(!path.contains(['?', '#', '\\']));
    for segment in path.split('/') {
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        assert!(!matches!(plain.as_str(), "." | ".."), "{path:?}");
    }
    let search = &*target.search;
    assert!(search.is_empty() || (search.starts_with('?') && search.len() > 1));
    assert!(search.bytes().all(|byte| byte.is_ascii_graphic()) && !search.contains('#'));
}

/// Decoding happens once and all or nothing.
fn check_decoded(path: &str, decoded: &str) {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    let mut well_formed = true;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        let escape = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())) {
            Some(digits) if *byte == b'%' => {
                bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
                rest = &tail[2..];
            }
            _ => {
                well_formed &= *byte != b'%';
                bytes.push(*byte);
            }
        }
    }
    let expected = if well_formed { String::from_utf8(bytes).ok() } else { None };
    assert_eq!(decoded, expected.as_deref().unwrap_or(path));
}

/// Follows canonical redirects to their end.
fn follow(path: &str, search: &str) {
    let mut path = Cow::Borrowed(path);
    for _ in 0..path.len() + 3 {
        match resolve(&path, lookup) {
            Resolution::Serve(asset) => {
                assert!(asset.starts_with(path.trim_end_matches('/')), "{asset} for {path}");
                return;
            }
            Resolution::Missing => return check_not_found(&path),
            Resolution::Redirect(to) => {
                let location = canonical_location(&to, search);
                check_location(&location);
                assert!(location.starts_with('/'));
                let next = RequestTarget::parse(&location);
                assert_eq!(next.search, search);
                path = Cow::Owned(decode_path(&next.path).into_owned());
            }
        }
    }
    panic!("redirects without end at {path:?}");
}

fn check_not_found(path: &str) {
    match not_found(path, lookup) {
        NotFound::Page(page) => {
            let directory = page.strip_suffix("404.html").expect("a 404 page");
            assert!(path.starts_with(directory), "{page} for {path}");
        }
        NotFound::SinglePage(_) | NotFound::Empty => panic!("there is a 404 page at the top: {path}"),
    }
}

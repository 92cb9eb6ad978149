//! Which requests of HTTP/1.1 the express lane takes. Input: what was read from a connection.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, unreachable_pub, reason = "a module of the server's")]
#[path = "../../crates/offprint/src/server/lane/head.rs"]
mod head;
use head::Plain;

/// Headers that say that a body follows, that the connection changes, or that the answer is another one.
const NOT_PLAIN: [&str; 9] = [
    "content-length",
    "transfer-encoding",
    "expect",
    "upgrade",
    "te",
    "trailer",
    "range",
    "if-range",
    "authorization",
];

fuzz_target!(|input: &[u8]| {
    let Some(plain) = Plain::parse(input) else { return };
    let request = &input[..plain.length];
    // Nothing but the request itself has a say, and all of it is needed.
    let (alone, shorter) = (Plain::parse(request), Plain::parse(&request[..request.len() - 1]));
    assert_eq!(format!("{plain:?}"), format!("{:?}", alone.expect("the same request")));
    assert!(shorter.is_none());

    // Read in the most simple-minded way it means the same: empty lines first, then a line with two blanks.
    let mut lines = request.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.find(|line| !line.is_empty()).expect("a request line");
    let method = if plain.is_head { "HEAD" } else { "GET" };
    assert_eq!(first, format!("{method} {} HTTP/1.1", plain.target).as_bytes());
    assert!(plain.target.starts_with('/') && plain.target.bytes().all(|byte| byte.is_ascii_graphic()));
    let target: http::Uri = plain.target.parse().expect("what every HTTP library takes");
    assert_eq!(target.path_and_query().map(|target| target.as_str()), Some(plain.target));
    assert!(target.authority().is_none());

    let (mut hosts, mut ends) = (0, 0);
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':').expect("a header");
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let name = http::HeaderName::from_bytes(name).expect("a name");
        http::HeaderValue::from_bytes(value).expect("a value");
        assert!(!NOT_PLAIN.contains(&name.as_str()), "{name}");
        match name.as_str() {
            "host" => {
                hosts += 1;
                assert_eq!(value, plain.host);
            }
            "connection" => ends += usize::from(value.eq_ignore_ascii_case(b"close")),
            "accept-encoding" => assert_eq!(Some(value), plain.accept_encoding),
            "if-none-match" => assert_eq!(Some(value), plain.if_none_match),
            _ => {}
        }
    }
    assert_eq!((hosts, ends), (1, usize::from(plain.is_last)));
    // Nothing stands between the empty line and the end.
    assert_eq!(lines.collect::<Vec<_>>(), [b""]);
});

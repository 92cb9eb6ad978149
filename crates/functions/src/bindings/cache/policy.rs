//! Whether an answer may be kept, and for how long (RFC 9111, for a shared cache).

use std::time::Duration;

use http::{HeaderMap, header};
use offprint_model::time::Timestamp;
use offprint_wire::time::Time;

use super::message::Message;

/// Longer than anybody waits; keeps times within bounds.
const LIFETIME_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// What may be kept: what is final and whole.
const KEPT: [u16; 14] = [200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501];

/// How long an answer is kept; `None`: not at all.
pub(super) fn lifetime(message: &Message, asked: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let directives = directives(message);
    let has = |name: &str| directives.iter().any(|(known, _)| known == name);
    let number = |name: &str| {
        let value =
            directives.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.as_deref());
        value.map(|value| value.parse::<u64>().unwrap_or(0))
    };
    // With this, an answer is cached without its cookies.
    let cookies_are_private = directives
        .iter()
        .any(|(name, value)| name == "private" && value.as_deref().is_some_and(is_set_cookie));
    let refused = has("no-store")
        || has("no-cache")
        || (has("private") && !cookies_are_private)
        || (message.headers.contains_key(header::SET_COOKIE) && !cookies_are_private)
        || message.text(&header::VARY).is_some_and(|vary| vary.contains('*'))
        || (asked.contains_key(header::AUTHORIZATION)
            && !has("public")
            && !has("must-revalidate")
            && !has("s-maxage"));
    if refused || !KEPT.contains(&message.status.as_u16()) {
        return None;
    }
    let lifetime = number("s-maxage").or_else(|| number("max-age")).map(Duration::from_secs);
    let lifetime = lifetime.or_else(|| expires(message, now)).or_else(|| usual(message.status.as_u16()))?;
    let age = message
        .text(&header::AGE)
        .and_then(|age| age.parse().ok())
        .map_or(Duration::ZERO, Duration::from_secs);
    lifetime.min(LIFETIME_MAX).checked_sub(age).filter(|left| !left.is_zero())
}

/// By `Expires`. A date that is none has passed.
fn expires(message: &Message, now: Timestamp) -> Option<Duration> {
    let expires = message.headers.get(header::EXPIRES)?;
    let expires = expires.to_str().ok().and_then(Time::parse_http);
    let date = message.text(&header::DATE).and_then(Time::parse_http).unwrap_or(Time(now));
    let left = expires.map_or(0, |expires| expires.0.as_micros() - date.0.as_micros());
    Some(Duration::from_micros(u64::try_from(left).unwrap_or(0)))
}

/// What the real service does with answers that say nothing of it ("Default cache behavior", edge TTL).
const fn usual(status: u16) -> Option<Duration> {
    match status {
        200 | 301 => Some(Duration::from_secs(120 * 60)),
        302 | 303 => Some(Duration::from_secs(20 * 60)),
        404 | 410 => Some(Duration::from_secs(3 * 60)),
        _ => None,
    }
}

/// The directives of `Cache-Control`, names in lower case.
fn directives(message: &Message) -> Vec<(String, Option<String>)> {
    let all = message.headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let one = |directive: &str| {
        let (name, value) = match directive.split_once('=') {
            Some((name, value)) => (name, Some(value.trim().trim_matches('"').to_owned())),
            None => (directive, None),
        };
        (name.trim().to_ascii_lowercase(), value)
    };
    all.flat_map(|value| value.split(',')).map(one).filter(|(name, _)| !name.is_empty()).collect()
}

/// Whether a `private` directive is about cookies alone.
fn is_set_cookie(field: &str) -> bool {
    field.eq_ignore_ascii_case("set-cookie")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn seconds(head: &str, asked: &[(&'static str, &str)]) -> Option<u64> {
        let message = Message::parse(Bytes::from(format!("HTTP/1.1 {head}\r\n\r\nx"))).unwrap();
        let asked =
            asked.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        // Sun, 06 Nov 1994 08:49:37 GMT
        lifetime(&message, &asked, Timestamp::from_micros(784_111_777_000_000)).map(|left| left.as_secs())
    }

    #[test]
    fn answers_say_how_long_they_are_kept() {
        for (head, expected) in [
            ("200 OK\r\nCache-Control: max-age=60", Some(60)),
            ("200 OK\r\nCache-Control: public, Max-Age=60, s-maxage=\"7\"", Some(7)),
            ("200 OK\r\nCache-Control: max-age=60\r\nAge: 20", Some(40)),
            ("200 OK\r\nCache-Control: max-age=60\r\nAge: 60", None),
            ("200 OK\r\nCache-Control: max-age=0", None),
            ("200 OK\r\nCache-Control: max-age=x", None),
            ("200 OK\r\nCache-Control: max-age=99999999999", Some(365 * 24 * 3600)),
            ("200 OK\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            (
                "200 OK\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\nDate: Sun, 06 Nov 1994 08:50:30 GMT",
                Some(7),
            ),
            ("200 OK\r\nExpires: 0", None),
            ("200 OK\r\nExpires: 0\r\nCache-Control: max-age=5", Some(5)),
            ("200 OK", Some(7200)),
            ("404 Not Found", Some(180)),
            ("500 Oops", None),
            ("500 Oops\r\nCache-Control: max-age=5", None),
            ("200 OK\r\nCache-Control: no-store, max-age=5", None),
            ("200 OK\r\nCache-Control: no-cache", None),
            ("200 OK\r\nCache-Control: private, max-age=5", None),
            ("200 OK\r\nCache-Control: max-age=5\r\nSet-Cookie: a=b", None),
            ("200 OK\r\nCache-Control: private=Set-Cookie, max-age=5\r\nSet-Cookie: a=b", Some(5)),
            ("200 OK\r\nVary: *", None),
            ("206 Partial\r\nCache-Control: max-age=5", None),
        ] {
            assert_eq!(seconds(head, &[]), expected, "{head}");
        }
    }

    #[test]
    fn what_was_asked_with_credentials_must_be_public() {
        let asked = [("authorization", "x")];
        assert_eq!(seconds("200 OK\r\nCache-Control: max-age=5", &asked), None);
        assert_eq!(seconds("200 OK\r\nCache-Control: public, max-age=5", &asked), Some(5));
    }
}

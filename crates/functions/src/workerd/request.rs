//! The request as a process gets it: what only the server may say is dropped and said anew.

use std::net::IpAddr;

use http::header::{CONNECTION, EXPECT, HOST, HeaderName, HeaderValue, UPGRADE};
use http::{HeaderMap, Request, Uri, Version};
use offprint_model::request_path::Scheme;
use offprint_sandbox::egress::drop_hop_headers;

use super::cf;
use super::config::{CF_HEADER, PROTO_HEADER};
use crate::body::Body;
use crate::runtime::Visitor;
use crate::tail::{self, Wants};

/// Headers that say something about the visitor, and that a visitor could otherwise make up.
const OURS: [&str; 11] = [
    PROTO_HEADER,
    CF_HEADER,
    tail::HEADER,
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-connecting-o2o",
    "cf-ew-via",
    "cf-worker",
    "true-client-ip",
    "x-forwarded-proto",
    "x-real-ip",
];

/// The same, but that a trusted proxy in front may know better.
const CLAIMS: [&str; 3] = [cf::COUNTRY, RAY, VISITOR];
/// The number of a request, by which it is found again in logs.
const RAY: &str = "cf-ray";
/// What the visitor uses, as JSON.
const VISITOR: &str = "cf-visitor";

/// Makes a visitor's request one for a process.
pub(super) fn prepare(request: &mut Request<Body>, visitor: &Visitor, wants: Wants) {
    if !visitor.is_vouched_for {
        for name in CLAIMS {
            request.headers_mut().remove(name);
        }
    }
    let cf = cf::describe(request, visitor);
    let upgrade = upgrade_of(request.headers());
    let host = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if let Ok(uri) = path.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
    drop_hop_headers(headers);
    headers.remove(EXPECT);
    for name in OURS {
        headers.remove(name);
    }
    let scheme = HeaderValue::from_static(match visitor.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    });
    headers.insert(HeaderName::from_static(PROTO_HEADER), scheme.clone());
    headers.insert(HeaderName::from_static("x-forwarded-proto"), scheme);
    identify(headers, visitor.scheme);
    if let Ok(cf) = HeaderValue::from_str(&cf) {
        headers.insert(HeaderName::from_static(CF_HEADER), cf);
    }
    if let Some(address) = visitor.address {
        tell_address(headers, address);
    }
    if wants == Wants::Everything {
        headers.insert(HeaderName::from_static(tail::HEADER), HeaderValue::from_static("all"));
    }
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade);
    }
}

/// What the real service says of every request. Where that stands in front, it has said so.
fn identify(headers: &mut HeaderMap, scheme: Scheme) {
    if !headers.contains_key(RAY)
        && let Ok(ray) = HeaderValue::from_str(&format!("{:016x}-{}", rand::random::<u64>(), cf::COLO))
    {
        headers.insert(HeaderName::from_static(RAY), ray);
    }
    if !headers.contains_key(VISITOR) {
        let visitor = match scheme {
            Scheme::Http => r#"{"scheme":"http"}"#,
            Scheme::Https => r#"{"scheme":"https"}"#,
        };
        headers.insert(HeaderName::from_static(VISITOR), HeaderValue::from_static(visitor));
    }
}

fn tell_address(headers: &mut HeaderMap, address: IpAddr) {
    let Ok(value) = HeaderValue::from_str(&address.to_string()) else { return };
    headers.insert(HeaderName::from_static("cf-connecting-ip"), value.clone());
    headers.insert(HeaderName::from_static("x-real-ip"), value.clone());
    let forwarded = HeaderName::from_static("x-forwarded-for");
    let so_far: Vec<_> = headers.get_all(&forwarded).iter().filter_map(|value| value.to_str().ok()).collect();
    let value = if so_far.is_empty() {
        Some(value)
    } else {
        HeaderValue::from_str(&format!("{}, {address}", so_far.join(", "))).ok()
    };
    if let Some(value) = value {
        headers.insert(forwarded, value);
    }
}

/// What the request wants its connection to become.
pub(super) fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let connection = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut words = connection.flat_map(|value| value.split(','));
    let is_wanted = words.any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    headers.get(UPGRADE).filter(|_| is_wanted).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::empty;
    use crate::runtime::TlsSession;

    fn prepared(request: http::request::Builder, wants: Wants) -> Request<Body> {
        prepared_by(request, wants, false)
    }

    fn prepared_by(request: http::request::Builder, wants: Wants, is_vouched_for: bool) -> Request<Body> {
        let mut request = request.body(empty()).unwrap();
        let visitor = Visitor {
            is_vouched_for,
            address: Some("203.0.113.9".parse().unwrap()),
            scheme: Scheme::Https,
            tls: Some(TlsSession { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256" }),
        };
        prepare(&mut request, &visitor, wants);
        request
    }

    #[test]
    fn what_a_visitor_made_up_is_replaced() {
        let mut request =
            Request::get("/a?b=c").header("host", "s.example").header("x-forwarded-for", "10.0.0.1");
        for name in OURS.into_iter().chain(CLAIMS) {
            request = request.header(name, "forged");
        }
        let request = prepared(request.header("connection", "x-hop").header("x-hop", "1"), Wants::Exceptions);
        let get = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(get("x-real-ip"), Some("203.0.113.9"));
        assert_eq!(get("cf-connecting-ip"), Some("203.0.113.9"));
        assert_eq!(get("x-forwarded-for"), Some("10.0.0.1, 203.0.113.9"));
        assert_eq!((get(PROTO_HEADER), get("x-forwarded-proto")), (Some("https"), Some("https")));
        assert_eq!(
            (get(cf::COUNTRY), get(tail::HEADER), get("x-hop"), get("connection")),
            (None, None, None, None)
        );
        assert_eq!(get(VISITOR), Some(r#"{"scheme":"https"}"#));
        let (number, place) = get(RAY).unwrap().split_once('-').unwrap();
        assert!(number.len() == 16 && u64::from_str_radix(number, 16).is_ok() && place == "OFF", "{number}");
        assert!(get(CF_HEADER).unwrap().contains("TLSv1.3"));
        assert_eq!(request.uri(), "/a?b=c");
    }

    #[test]
    fn what_a_trusted_proxy_says_stays() {
        let request =
            Request::get("/").header(RAY, "1-SJC").header(cf::COUNTRY, "NZ").header("cf-worker", "x");
        let request = prepared_by(request, Wants::Exceptions, true);
        let headers = request.headers();
        assert_eq!(
            (&headers[RAY], &headers[cf::COUNTRY]),
            (&"1-SJC".parse().unwrap(), &"NZ".parse().unwrap())
        );
        assert!(!headers.contains_key("cf-worker"));
        assert!(headers[CF_HEADER].to_str().unwrap().contains(r#""country":"NZ""#));
    }

    #[test]
    fn an_absolute_url_becomes_path_and_host() {
        let request = Request::get("https://s.example:8443/a?b").version(Version::HTTP_2);
        let request = prepared(request, Wants::Everything);
        assert_eq!(
            (request.uri().to_string().as_str(), &request.headers()["host"]),
            ("/a?b", &"s.example:8443".parse().unwrap())
        );
        assert_eq!(request.headers()[tail::HEADER], "all");
        assert_eq!(request.version(), Version::HTTP_11);
    }

    #[test]
    fn an_upgrade_stays_one() {
        let request =
            Request::get("/").header("connection", "keep-alive, Upgrade").header("upgrade", "websocket");
        let request = prepared(request, Wants::Exceptions);
        assert_eq!(
            (&request.headers()["upgrade"], &request.headers()["connection"]),
            (&"websocket".parse().unwrap(), &"upgrade".parse().unwrap())
        );
        assert!(upgrade_of(Request::get("/").header("upgrade", "h2c").body(()).unwrap().headers()).is_none());
    }
}

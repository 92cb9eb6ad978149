//! What becomes `request.cf`: of the real service's members those that mean something on a server of one's own. Where the
//! visitor is, nobody here knows unless a proxy in front says it, and saying nothing is better than a made-up city.

use http::header::ACCEPT_ENCODING;
use http::{Request, Version};
use serde_json::json;

use crate::runtime::Visitor;

/// The header with the visitor's country.
pub(super) const COUNTRY: &str = "cf-ipcountry";
/// Where requests are answered: three letters, as those of airports on the real service.
pub(super) const COLO: &str = "OFF";

/// JSON in one line of ASCII. What the headers claim has been judged before.
pub(super) fn describe<B>(request: &Request<B>, visitor: &Visitor) -> String {
    let protocol = match request.version() {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let encoding = request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let mut cf = json!({
        "colo": COLO,
        "httpProtocol": protocol,
        "clientAcceptEncoding": encoding.unwrap_or(""),
        "requestPriority": "",
        "edgeRequestKeepAliveStatus": 1,
        "tlsVersion": "",
        "tlsCipher": "",
    });
    if let Some(tls) = visitor.tls {
        cf["tlsVersion"] = tls.version.into();
        cf["tlsCipher"] = tls.cipher.into();
    }
    if let Some(country) = request.headers().get(COUNTRY).and_then(|value| value.to_str().ok()) {
        cf["country"] = country.into();
    }
    cf.to_string()
}

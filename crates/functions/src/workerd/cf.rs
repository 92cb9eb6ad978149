//! What becomes `request.cf`: of the real service's members those that mean something on a server of one's own. Where the
//! visitor is, nobody here knows, and saying so is better than a made-up city.

use http::header::ACCEPT_ENCODING;
use http::{Request, Version};
use serde_json::json;

use crate::runtime::Visitor;

/// JSON in one line of ASCII.
pub(super) fn describe<B>(request: &Request<B>, visitor: &Visitor) -> String {
    let protocol = match request.version() {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let encoding = request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let mut cf = json!({
        // Three letters, as those of airports there.
        "colo": "OFF",
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
    cf.to_string()
}

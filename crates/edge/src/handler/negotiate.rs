//! Content negotiation: whether the plain form of an asset is acceptable.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// False where `Accept-Encoding` rules the plain form out: `identity;q=0`, or `*;q=0` without a word
/// about identity.
///
/// Read as naively as Pages does: blanks removed, split at `,` and at the literal `;q=`, case matters.
pub(super) fn accepts_identity(headers: &HeaderMap) -> bool {
    let mut identity = None;
    let mut any = None;
    for line in headers.get_all(ACCEPT_ENCODING) {
        let Ok(line) = line.to_str() else { continue };
        if !line.contains("q=") {
            continue;
        }
        for entry in line.split(',') {
            let entry: String = entry.chars().filter(|character| !character.is_whitespace()).collect();
            let (name, weight) = entry.split_once(";q=").unwrap_or((&entry, "1"));
            let acceptable = weight.parse::<f32>().map_or(true, |weight| weight > 0.0);
            match name {
                "identity" => identity = Some(acceptable),
                "*" => any = Some(acceptable),
                _ => {}
            }
        }
    }
    identity.or(any).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn identity_is_acceptable_unless_it_is_ruled_out() {
        for (value, acceptable) in [
            ("gzip, br", true),
            ("gzip;q=0", true),
            ("identity;q=0", false),
            ("gzip, identity; q=0", false),
            ("*;q=0", false),
            ("*;q=0, identity", true),
            ("identity;q=0.5, *;q=0", true),
            ("Identity;q=0", true),
        ] {
            let headers = [(ACCEPT_ENCODING, HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(accepts_identity(&headers), acceptable, "{value}");
        }
    }
}

//! A request's URL as the serving rules see it.
//!
//! Cloudflare Pages serving rules, "The URL": rules look at the path after WHATWG parsing, still
//! percent-encoded; assets are looked up under the decoded path. Most requests carry a path that
//! parsing would leave alone, so both steps borrow whenever they can.

use std::borrow::Cow;

use url::Url;

/// The outer scheme of a request: what the visitor's address bar shows.
///
/// It decides whether a redirect target is same-origin. Behind a proxy that ends TLS it is `Https`
/// although the connection that reaches us is plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http:`
    Http,
    /// `https:`
    Https,
}

impl Scheme {
    /// The scheme without its colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A request URL taken apart, after WHATWG parsing.
#[derive(Clone, Copy, Debug)]
pub struct RequestUrl<'a> {
    /// The outer scheme.
    pub scheme: Scheme,
    /// Host name with the port, if there is one, as the client sent it.
    pub authority: &'a str,
    /// Host name in lower case, without the port.
    pub host: &'a str,
    /// Percent-encoded path; begins with `/`.
    pub path: &'a str,
    /// `?` and the query, or nothing at all when the query is empty.
    pub search: &'a str,
}

impl RequestUrl<'_> {
    /// The whole URL as a string, for resolving references against it.
    pub(crate) fn to_url(self) -> Option<Url> {
        let Self { scheme, authority, path, search, .. } = self;
        Url::parse(&format!("{}://{authority}{path}{search}", scheme.as_str())).ok()
    }
}

/// A raw request target (`/path?query`) after WHATWG parsing for a special scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTarget<'a> {
    /// Percent-encoded path, dot segments resolved; begins with `/`.
    pub path: Cow<'a, str>,
    /// `?` and the query, or nothing at all when the query is empty.
    pub search: Cow<'a, str>,
}

impl<'a> RequestTarget<'a> {
    /// Parses a request target as it stood on the request line.
    ///
    /// Dot segments are resolved (also the escaped ones), `\` becomes `/`, unsafe characters are
    /// escaped; existing escapes stay as they are. Repeated slashes are kept.
    pub fn parse(target: &'a str) -> Self {
        let (path, search) = match target.find('?') {
            Some(at) => target.split_at(at),
            None => (target, ""),
        };
        if is_clean_path(path) && is_clean_search(search) {
            let search = if search.len() > 1 { search } else { "" };
            return Self { path: Cow::Borrowed(path), search: Cow::Borrowed(search) };
        }
        Self::parse_slowly(target)
    }

    fn parse_slowly(target: &str) -> Self {
        // The fixed host keeps `//evil.example/` a path: only the origin form reaches this place.
        let slash = if target.starts_with(['/', '\\']) { "" } else { "/" };
        let (path, search) = match Url::parse(&format!("https://h{slash}{target}")) {
            Ok(url) => {
                let query = url.query().filter(|query| !query.is_empty());
                (url.path().to_owned(), query.map_or_else(String::new, |query| format!("?{query}")))
            }
            // The parser accepts any path below a good host, so this is for the compiler only.
            Err(_) => ("/".to_owned(), String::new()),
        };
        Self { path: Cow::Owned(path), search: Cow::Owned(search) }
    }
}

/// True if WHATWG parsing returns this path unchanged.
fn is_clean_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return false;
    }
    let mut segment_start = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if !CLEAN_PATH[byte as usize] {
            return false;
        }
        // A segment that begins with `.` or an escape may be a dot segment; the slow way knows.
        if segment_start && (byte == b'.' || (byte == b'%' && bytes.get(at + 1) == Some(&b'2'))) {
            return false;
        }
        segment_start = byte == b'/';
    }
    true
}

fn is_clean_search(search: &str) -> bool {
    search.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\''))
}

static CLEAN_PATH: [bool; 256] = clean_path_table();

const fn clean_path_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7F {
        table[byte] =
            !matches!(byte as u8, b'"' | b'#' | b'<' | b'>' | b'?' | b'`' | b'{' | b'}' | b'\\' | b'^');
        byte += 1;
    }
    table
}

/// Decodes a whole path once, like `decodeURIComponent`.
///
/// Cloudflare Pages serving rules, "The URL": one malformed escape anywhere leaves the whole path as
/// it is, so a file called `100%.txt` is found at `/100%.txt` too.
pub fn decode_path(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    decode_escapes(path.as_bytes())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map_or(Cow::Borrowed(path), Cow::Owned)
}

fn decode_escapes(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let [high, low, tail @ ..] = tail else { return None };
        decoded.push(hex_digit(*high)? << 4 | hex_digit(*low)?);
        rest = tail;
    }
    Some(decoded)
}

const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Appends `text` escaped like `encodeURIComponent`: only `A–Z a–z 0–9 - _ . ! ~ * ' ( )` stay.
pub(crate) fn push_encoded_component(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push('%');
            out.push(HEX[usize::from(byte >> 4)] as char);
            out.push(HEX[usize::from(byte & 15)] as char);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_parsed_like_urls() {
        for (target, path, search) in [
            ("/a/b.css?x=1", "/a/b.css", "?x=1"),
            ("/a?", "/a", ""),
            ("/docs/%2e%2e/contact", "/contact", ""),
            ("/../../x", "/x", ""),
            ("/a/.%2E/b", "/b", ""),
            ("/a/./b/", "/a/b/", ""),
            ("/docs\\page", "/docs/page", ""),
            ("//evil.example/x", "//evil.example/x", ""),
            ("/é<>`{}\"|[]", "/%C3%A9%3C%3E%60%7B%7D%22|[]", ""),
            ("/caf%c3%a9", "/caf%c3%a9", ""),
            ("/%2F%5c//", "/%2F%5c//", ""),
            ("/.well-known/x", "/.well-known/x", ""),
            ("/a?q=é'#f", "/a", "?q=%C3%A9%27"),
            ("*", "/*", ""),
            ("", "/", ""),
        ] {
            let parsed = RequestTarget::parse(target);
            assert_eq!((&*parsed.path, &*parsed.search), (path, search), "{target}");
        }
    }

    #[test]
    fn clean_targets_are_borrowed() {
        let parsed = RequestTarget::parse("/assets/app.0123abcd.js?v=2");
        assert!(matches!(parsed.path, Cow::Borrowed(_)));
        assert!(matches!(parsed.search, Cow::Borrowed(_)));
    }

    #[test]
    fn decoding_is_all_or_nothing() {
        for (path, decoded) in [
            ("/plain", "/plain"),
            ("/caf%C3%A9", "/café"),
            ("/docs%2Fpage", "/docs/page"),
            ("/a%2520b", "/a%20b"),
            ("/a+b", "/a+b"),
            ("/100%25.txt", "/100%.txt"),
            ("/100%.txt", "/100%.txt"),
            ("/a%20b%zz", "/a%20b%zz"),
            ("/%C3%28", "/%C3%28"),
            ("/%ED%A0%80", "/%ED%A0%80"),
            ("/%E9", "/%E9"),
            ("/a%2", "/a%2"),
        ] {
            assert_eq!(decode_path(path), decoded, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_fast_way_agrees_with_the_slow_way(target in "/[ -~é]{0,40}") {
            proptest::prop_assert_eq!(RequestTarget::parse(&target), RequestTarget::parse_slowly(&target));
        }

        #[test]
        fn any_text_is_a_target(target in ".*") {
            proptest::prop_assert!(RequestTarget::parse(&target).path.starts_with('/'));
            let _ = decode_path(&target);
        }
    }
}

//! Which requests are plain.
//!
//! The syntax is `httparse`'s, which is hyper's too. What is decided here is only whether a request is simple enough
//! to be answered without hyper: everything that could have a body, that speaks of the connection in unusual
//! words, or that could be read in two ways is not.

use std::mem::MaybeUninit;

use httparse::{Header, Request, Status};

/// Header lines of a plain request. Browsers send about twenty.
const HEADERS_MAX: usize = 40;

/// A plain request at the beginning of what was read.
#[derive(Debug)]
pub(super) struct Plain<'b> {
    pub(super) is_head: bool,
    /// The one `Host` header.
    pub(super) host: &'b [u8],
    /// Begins with `/`.
    pub(super) target: &'b str,
    pub(super) accept_encoding: Option<&'b [u8]>,
    pub(super) if_none_match: Option<&'b [u8]>,
    /// The client wants the connection to end with this answer.
    pub(super) is_last: bool,
    /// Bytes of the request.
    pub(super) length: usize,
}

impl<'b> Plain<'b> {
    /// Reads a request; `None` where it is incomplete, wrong, or not plain.
    pub(super) fn parse(bytes: &'b [u8]) -> Option<Self> {
        let mut headers = [MaybeUninit::uninit(); HEADERS_MAX];
        let mut parsed = Request::new(&mut []);
        let Ok(Status::Complete(length)) = parsed.parse_with_uninit_headers(bytes, &mut headers) else {
            return None;
        };
        let (method, target) = (parsed.method?, parsed.path?);
        let is_head = method == "HEAD";
        if parsed.version != Some(1) || !(is_head || method == "GET") || !is_plain_target(target) {
            return None;
        }
        let OfInterest { host, connection, accept_encoding, if_none_match } = OfInterest::of(parsed.headers)?;
        let is_last = match connection {
            None => false,
            Some(value) if value.eq_ignore_ascii_case(b"keep-alive") => false,
            // The order of the headers would be another one.
            Some(value) if value.eq_ignore_ascii_case(b"close") && !is_head => true,
            Some(_) => return None,
        };
        Some(Self { is_head, host: host?, target, accept_encoding, if_none_match, is_last, length })
    }
}

/// The headers that have a say in a plain answer.
#[derive(Default)]
struct OfInterest<'b> {
    host: Option<&'b [u8]>,
    connection: Option<&'b [u8]>,
    accept_encoding: Option<&'b [u8]>,
    if_none_match: Option<&'b [u8]>,
}

impl<'b> OfInterest<'b> {
    /// `None`: there is a header that makes a request other than plain, or one of these twice.
    fn of(headers: &[Header<'b>]) -> Option<Self> {
        let mut found = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            // The length tells most of them apart.
            let place = match header.name.len() {
                4 if is("host") => &mut found.host,
                10 if is("connection") => &mut found.connection,
                15 if is("accept-encoding") => &mut found.accept_encoding,
                13 if is("if-none-match") => &mut found.if_none_match,
                2 if is("te") => return None,
                5 if is("range") => return None,
                6 if is("expect") => return None,
                7 if is("upgrade") || is("trailer") => return None,
                8 if is("if-range") => return None,
                13 if is("authorization") => return None,
                14 if is("content-length") => return None,
                17 if is("transfer-encoding") => return None,
                _ => continue,
            };
            if place.replace(header.value).is_some() {
                return None;
            }
        }
        Some(found)
    }
}

/// Whether a target is a path, and perhaps a query, of which every reader makes the same.
fn is_plain_target(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| IS_PLAIN[usize::from(byte)])
}

static IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] =
            !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(request: &str) -> Option<Plain<'_>> {
        Plain::parse(request.as_bytes())
    }

    #[test]
    fn what_has_a_say_is_found_in_any_letter_case() {
        let text = "GET /a?b HTTP/1.1\r\nHOST: a.example\r\nX: y\r\naccept-encoding: br \r\nIf-None-Match: \"x\"\r\n\r\n";
        let both = format!("{text}GET /next HTTP/1.1\r\n");
        let found = plain(&both).unwrap();
        assert_eq!((found.host, found.target, found.length), (&b"a.example"[..], "/a?b", text.len()));
        assert_eq!(found.accept_encoding, Some(&b"br"[..]));
        assert_eq!(found.if_none_match, Some(&b"\"x\""[..]));
        assert!(!found.is_last && !found.is_head);
        assert!(plain("GET / HTTP/1.1\r\nhost: a\r\nconnection: Close\r\n\r\n").unwrap().is_last);
        assert!(!plain("HEAD / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n\r\n").unwrap().is_last);
    }

    #[test]
    fn everything_else_is_left_to_hyper() {
        for line in [
            "GET / HTTP/1.0",
            "POST / HTTP/1.1",
            "get / HTTP/1.1",
            "GET http://a/ HTTP/1.1",
            "GET * HTTP/1.1",
            "GET  / HTTP/1.1",
            "GET /{ HTTP/1.1",
            "GET /# HTTP/1.1",
            "GET /\u{e9} HTTP/1.1",
        ] {
            assert!(plain(&format!("{line}\r\nHost: a\r\n\r\n")).is_none(), "{line}");
        }
        let many: String = (0..HEADERS_MAX).map(|n| format!("X-{n}: y\r\n")).collect();
        for headers in [
            "",
            "Host: b\r\nHost: a\r\n",
            "Host: a\r\nContent-Length: 0\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\n",
            "Host: a\r\nExpect: 100-continue\r\n",
            "Host: a\r\nUpgrade: websocket\r\n",
            "Host: a\r\nTE: trailers\r\n",
            "Host: a\r\nConnection: close, te\r\n",
            "Host: a\r\nConnection: keep-alive\r\nConnection: close\r\n",
            "Host: a\r\nRange: bytes=0-1\r\n",
            "Host: a\r\nIf-Range: \"x\"\r\n",
            "Host: a\r\nAuthorization: Basic eA==\r\n",
            "Host: a\r\nAccept-Encoding: br\r\nAccept-Encoding: gzip\r\n",
            "Host: a\r\nIf-None-Match: \"x\"\r\nIf-None-Match: \"y\"\r\n",
            "Host: a\r\nContent-Length : 3\r\n",
            "Host: a\r\n X: folded\r\n",
            &format!("Host: a\r\n{many}"),
        ] {
            assert!(plain(&format!("GET / HTTP/1.1\r\n{headers}\r\n")).is_none(), "{headers}");
        }
        assert!(plain("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").is_none());
        let whole = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 0..whole.len() {
            assert!(plain(&whole[..end]).is_none(), "{end}");
        }
        assert!(plain(whole).is_some());
    }
}

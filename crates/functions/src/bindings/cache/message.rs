//! An HTTP answer in the body of a request: status line, headers, an empty line, and the content as it is, even where
//! `Transfer-Encoding` says that it is chunked.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// An answer to be cached.
pub(super) struct Message {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Headers that are about a connection and not about an answer.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

impl Message {
    /// Reads a message. `None`: it is none.
    pub(super) fn parse(bytes: Bytes) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let mut lines = bytes[..end].split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
        let status = lines.next()?.strip_prefix(b"HTTP/")?.split(|byte| *byte == b' ').nth(1)?;
        let status = StatusCode::from_bytes(status).ok()?;
        let mut headers = HeaderMap::new();
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            headers.append(name, value);
        }
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
        let body = bytes.slice(end + 4..);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len() as u64));
        Some(Self { status, headers, body })
    }

    /// The value of a header that is text.
    pub(super) fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_head_and_a_body() {
        let text = "HTTP/1.1 201 Made it\r\nA: 1\r\nA:2 \r\nTransfer-Encoding: chunked\r\n\r\nbo\r\n\r\ndy";
        let message = Message::parse(Bytes::from(text)).unwrap();
        let all: Vec<_> = message.headers.get_all("a").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(
            (message.status.as_u16(), all, &message.body[..]),
            (201, vec!["1", "2"], &b"bo\r\n\r\ndy"[..])
        );
        assert_eq!(message.headers["content-length"], "8");
        assert!(!message.headers.contains_key("transfer-encoding"));
    }

    #[test]
    fn what_is_no_message_is_none() {
        for bad in [
            "",
            "HTTP/1.1 200 OK",
            "GET / HTTP/1.1\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200\r\nx\r\n\r\n",
        ] {
            assert!(Message::parse(Bytes::from(bad)).is_none(), "{bad}");
        }
    }
}

//! Which host a request is for.

use std::borrow::Cow;

use http::{Request, header};

/// The host of a request.
#[derive(Debug)]
pub(crate) struct Host<'r> {
    /// As the client sent it, with the port.
    authority: &'r str,
    /// Lower case, without port and final dot.
    name: Cow<'r, str>,
}

impl<'r> Host<'r> {
    /// Reads the host from the request target (HTTP/2, absolute form) or else from the `Host` header.
    pub(crate) fn of<B>(request: &'r Request<B>) -> Option<Self> {
        let authority = match request.uri().authority() {
            Some(authority) => authority.as_str(),
            None => request.headers().get(header::HOST)?.to_str().ok()?,
        };
        Self::parse(authority)
    }

    fn parse(authority: &'r str) -> Option<Self> {
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let name = match authority.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => authority,
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.is_empty() {
            return None;
        }
        let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
        Some(Self { authority, name })
    }

    pub(crate) fn authority(&self) -> &str {
        self.authority
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_lower_case() {
        for (authority, name) in [
            ("a.example", "a.example"),
            ("A.Example:8080", "a.example"),
            ("a.example.", "a.example"),
            ("user@a.example:1", "a.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(Host::parse(authority).unwrap().name(), name, "{authority}");
        }
        assert!(Host::parse("").is_none());
        assert!(Host::parse(":80").is_none());
    }
}

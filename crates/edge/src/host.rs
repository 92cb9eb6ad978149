//! Which host a request is for.

use std::borrow::Cow;

use http::{Request, Version, header};

/// The host of a request.
#[derive(Debug)]
pub(crate) struct Host<'r> {
    /// As the client sent it, with the port.
    authority: &'r str,
    /// Lower case, without port and final dot.
    name: Cow<'r, str>,
}

/// There is no host where there must be one, more than one, or one that cannot be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadHost;

impl<'r> Host<'r> {
    /// Reads the host from the request target (HTTP/2, absolute form) or else from the `Host` header. `None`
    /// where the protocol lets a request have none.
    pub(crate) fn of<B>(request: &'r Request<B>) -> Result<Option<Self>, BadHost> {
        let mut lines = request.headers().get_all(header::HOST).iter();
        let header = match (lines.next(), lines.next()) {
            (None, _) if request.version() == Version::HTTP_11 => return Err(BadHost),
            (None, _) => None,
            (Some(line), None) => Some(Self::parse(line.as_bytes())?),
            (Some(_), Some(_)) => return Err(BadHost),
        };
        match request.uri().authority() {
            // What stands in the target was parsed with it and goes before the header (RFC 9112, 3.2.2).
            Some(authority) => Self::parse(authority.as_str().as_bytes()),
            None => Ok(header.flatten()),
        }
    }

    /// The host of a request that a Worker makes, which is that of its URL and needs no header.
    pub(crate) fn of_url<B>(request: &'r Request<B>) -> Result<Option<Self>, BadHost> {
        match request.uri().authority() {
            Some(authority) => Self::parse(authority.as_str().as_bytes()),
            None => Self::of(request),
        }
    }

    /// Reads what a `Host` header says. `None`: empty.
    pub(crate) fn parse(authority: &'r [u8]) -> Result<Option<Self>, BadHost> {
        let text = std::str::from_utf8(authority).map_err(|_| BadHost)?;
        let kinds = authority.iter().fold(0, |kinds, byte| kinds | KIND[usize::from(*byte)]);
        let name = if kinds & OTHER == 0 { text } else { without_port(text)? };
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.is_empty() {
            return Ok(None);
        }
        let name =
            if kinds & UPPER != 0 { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) };
        Ok(Some(Self { authority: text, name }))
    }

    pub(crate) fn authority(&self) -> &str {
        self.authority
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// The name or address of a host; what follows it must be a port.
fn without_port(text: &str) -> Result<&str, BadHost> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (text, ""),
    };
    let is_name = match name.strip_prefix('[') {
        Some(address) => {
            address.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
        }
        None => name.bytes().all(is_name_byte),
    };
    if is_name && port.bytes().all(|byte| byte.is_ascii_digit()) { Ok(name) } else { Err(BadHost) }
}

/// A letter to be made small.
const UPPER: u8 = 1;
/// Nothing that a name has.
const OTHER: u8 = 2;

static KIND: [u8; 256] = {
    let mut kinds = [OTHER; 256];
    let mut byte = 0;
    while byte < kinds.len() {
        if is_name_byte(byte as u8) {
            kinds[byte] = if (byte as u8).is_ascii_uppercase() { UPPER } else { 0 };
        }
        byte += 1;
    }
    kinds
};

/// What a registered name may hold (RFC 3986, 3.2.2), escapes left out: no host that leads here has one.
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: Version, hosts: &[&[u8]]) -> Result<Option<String>, BadHost> {
        let mut request = Request::new(());
        *request.version_mut() = version;
        for host in hosts {
            request.headers_mut().append(header::HOST, http::HeaderValue::from_bytes(host).unwrap());
        }
        Host::of(&request).map(|host| host.map(|host| host.name().to_owned()))
    }

    #[test]
    fn names_are_plain_and_lower_case() {
        for (authority, name) in [
            ("a.example", "a.example"),
            ("A.Example.:8080", "a.example"),
            ("a.example.", "a.example"),
            ("localhost:", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(
                of(Version::HTTP_11, &[authority.as_bytes()]),
                Ok(Some(name.to_owned())),
                "{authority}"
            );
        }
        assert_eq!(of(Version::HTTP_11, &[b""]), Ok(None));
        assert_eq!(of(Version::HTTP_11, &[b":80"]), Ok(None));
    }

    #[test]
    fn a_request_has_one_host_that_can_be_one() {
        for host in [
            "a b",
            "[::1",
            "[::1]x",
            "a:80:80",
            "a.example/",
            "user@a.example",
            "%61.example",
            "\u{fc}.example",
        ] {
            assert_eq!(of(Version::HTTP_11, &[host.as_bytes()]), Err(BadHost), "{host}");
        }
        assert_eq!(of(Version::HTTP_11, &[]), Err(BadHost));
        assert_eq!(of(Version::HTTP_11, &[b"a.example", b"a.example"]), Err(BadHost));
        // There the host may be in the target, or nowhere.
        assert_eq!(of(Version::HTTP_2, &[]), Ok(None));
        assert_eq!(of(Version::HTTP_10, &[]), Ok(None));
    }

    #[test]
    fn the_target_goes_before_the_header() {
        let request = |target: &str| Request::get(target).header("host", "b.example").body(()).unwrap();
        let target = request("http://A.example:1/x");
        assert_eq!(Host::of(&target).unwrap().unwrap().name(), "a.example");
        assert_eq!(Host::of(&request("/x")).unwrap().unwrap().name(), "b.example");
    }
}

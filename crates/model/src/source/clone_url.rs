//! Where a repository is cloned from.
//!
//! The text reaches the command line of git and of ssh, so the door is narrow: four ways to say it, no byte that
//! either could take for something else, and no password, since URLs are shown and logged.

use std::fmt;

use crate::name::InvalidName;

/// The URL of a repository: `https://`, `http://`, `ssh://`, `user@host:path`, `file:///path` or `/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CloneUrl(Box<str>);

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneScheme {
    /// Smart HTTP over TLS.
    Https,
    /// Smart HTTP.
    Http,
    /// Ssh, as a URL or as `user@host:path`.
    Ssh,
    /// A directory of this machine.
    Local,
}

const BYTES_MAX: usize = 2048;

const LENGTH: InvalidName = InvalidName("it has 1 to 2048 bytes");
const CHARACTERS: InvalidName = InvalidName("it holds no control characters");
const VISIBLE: InvalidName = InvalidName("it holds visible ASCII characters only, without `?`, `#` and `\\`");
const FORM: InvalidName =
    InvalidName("it begins with https://, http:// or ssh://, or is user@host:path or an absolute path");
const HOST: InvalidName = InvalidName("its host holds letters, digits, dots and dashes");
const PORT: InvalidName = InvalidName("its port is a number from 1 to 65535");
const USER: InvalidName = InvalidName("its user holds letters, digits, dots, dashes and underscores");
const CREDENTIALS: InvalidName = InvalidName("it holds no credentials; they are settings of their own");
const PATH: InvalidName = InvalidName("its path names a repository, and has no segment that is `.` or `..`");
const DASH: InvalidName = InvalidName("neither it nor a part of it begins with a dash");
const ESCAPES: InvalidName = InvalidName("a file URL holds no percent signs");

/// The parts of a URL that is not local.
struct Parts<'a> {
    scheme: CloneScheme,
    user: Option<&'a str>,
    host: &'a str,
    port: Option<&'a str>,
    /// Without the slash before it.
    path: &'a str,
}

impl CloneUrl {
    /// Checks the URL of a repository.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let url = Self::parse_base(text)?;
        let path = url.path().trim_matches('/');
        if path.is_empty() || path == ".git" { Err(PATH) } else { Ok(url) }
    }

    /// The same rules for a URL that may end with its host.
    pub(super) fn parse_base(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > BYTES_MAX {
            return Err(LENGTH);
        }
        if text.starts_with('-') {
            return Err(DASH);
        }
        let url = Self(text.into());
        match local(text) {
            Some(path) => check_local(text, path)?,
            None => check_remote(text)?,
        }
        if url.path().split('/').any(|segment| segment == "." || segment == "..") {
            return Err(PATH);
        }
        Ok(url)
    }

    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How the repository is reached.
    pub fn scheme(&self) -> CloneScheme {
        parts(&self.0).map_or(CloneScheme::Local, |parts| parts.scheme)
    }

    /// The host, as it was given; `None` for a local repository.
    pub fn host(&self) -> Option<&str> {
        parts(&self.0).map(|parts| parts.host)
    }

    /// The absolute path of a local repository.
    pub fn local_path(&self) -> Option<&str> {
        local(&self.0)
    }

    /// The origin of the web server beside the repository: its own for HTTP, `https://<host>` for ssh.
    pub(super) fn origin(&self) -> Option<String> {
        let parts = parts(&self.0)?;
        let port = |port: Option<&str>| port.map_or_else(String::new, |port| format!(":{port}"));
        Some(match parts.scheme {
            CloneScheme::Http => format!("http://{}{}", parts.host, port(parts.port)),
            CloneScheme::Https => format!("https://{}{}", parts.host, port(parts.port)),
            CloneScheme::Ssh | CloneScheme::Local => format!("https://{}", parts.host),
        })
    }

    /// What the path says of the repository: everything but its last segment, and the last without `.git`.
    pub fn owner_and_name(&self) -> (&str, &str) {
        let path = self.path().trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
        path.rsplit_once('/').unwrap_or(("", path))
    }

    fn path(&self) -> &str {
        local(&self.0).or_else(|| parts(&self.0).map(|parts| parts.path)).unwrap_or_default()
    }
}

impl fmt::Display for CloneUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a local repository.
fn local(text: &str) -> Option<&str> {
    text.strip_prefix("file://").or(Some(text)).filter(|path| path.starts_with('/'))
}

/// The parts of any other; `None` if it has none of the forms.
fn parts(text: &str) -> Option<Parts<'_>> {
    if local(text).is_some() {
        return None;
    }
    let schemes =
        [("https://", CloneScheme::Https), ("http://", CloneScheme::Http), ("ssh://", CloneScheme::Ssh)];
    for (prefix, scheme) in schemes {
        if let Some(rest) = text.strip_prefix(prefix) {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let (user, server) = match authority.rsplit_once('@') {
                Some((user, server)) => (Some(user), server),
                None => (None, authority),
            };
            let (host, port) = match server.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (server, None),
            };
            return Some(Parts { scheme, user, host, port, path });
        }
    }
    let (server, path) = text.split_once(':').filter(|(_, path)| !path.starts_with("//"))?;
    let (user, host) = server.split_once('@')?;
    Some(Parts { scheme: CloneScheme::Ssh, user: Some(user), host, port: None, path })
}

fn check_local(text: &str, path: &str) -> Result<(), InvalidName> {
    if path.chars().any(char::is_control) {
        return Err(CHARACTERS);
    }
    // git decodes those of a URL, so that another path than this one would be opened.
    if text.len() != path.len() && path.contains('%') { Err(ESCAPES) } else { Ok(()) }
}

fn check_remote(text: &str) -> Result<(), InvalidName> {
    if !text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\')) {
        return Err(VISIBLE);
    }
    let parts = parts(text).ok_or(FORM)?;
    check_user(&parts)?;
    let of_name = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    if parts.host.is_empty() || !parts.host.bytes().all(of_name) {
        return Err(HOST);
    }
    if parts.host.starts_with('-') || parts.path.starts_with('-') {
        return Err(DASH);
    }
    match parts.port {
        Some(port) if !is_port(port) => Err(PORT),
        _ => Ok(()),
    }
}

/// Over ssh the user is part of the place; over HTTP it would be a credential.
fn check_user(parts: &Parts<'_>) -> Result<(), InvalidName> {
    let Some(user) = parts.user else { return Ok(()) };
    if parts.scheme != CloneScheme::Ssh || user.contains(':') {
        return Err(CREDENTIALS);
    }
    if user.starts_with('-') {
        return Err(DASH);
    }
    let of_user = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if user.is_empty() || !user.bytes().all(of_user) { Err(USER) } else { Ok(()) }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

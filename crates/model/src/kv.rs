//! The rules of KV: keys, lifetimes, and how much there may be of everything (Workers KV, "Limits").

/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 25 * 1024 * 1024;
/// The longest metadata, in bytes of JSON.
pub const METADATA_BYTES_MAX: usize = 1024;
/// The longest key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 512;
/// The shortest lifetime, in seconds.
pub const LIFETIME_S_MIN: u64 = 60;
/// Keys of one answer to a list.
pub const LIST_KEYS_MAX: usize = 1000;

/// A key: 1 to 512 bytes, and neither `.` nor `..`, which a URL cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KvKey(Box<str>);

/// Why a request was refused, in the words of the real service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKv {
    /// The key has no characters.
    #[error("Key names must not be empty")]
    EmptyKey,
    /// The key is a dot segment.
    #[error("Illegal key name \"{0}\". Please use a different name.")]
    DotKey(String),
    /// The key, or the prefix of keys, is too long.
    #[error("UTF-8 encoded length of {0} exceeds key length limit of {KEY_BYTES_MAX}.")]
    LongKey(usize),
    /// A lifetime that is no positive number of seconds.
    #[error("Invalid expiration_ttl of {0}. Please specify integer greater than 0.")]
    Ttl(String),
    /// A lifetime that is too short.
    #[error("Invalid expiration_ttl of {0}. Expiration TTL must be at least {LIFETIME_S_MIN}.")]
    ShortTtl(u64),
    /// A time of expiry that is no time to come.
    #[error(
        "Invalid expiration of {0}. Please specify integer greater than the current number of seconds since the UNIX epoch."
    )]
    Expiration(String),
    /// A time of expiry that is too near.
    #[error(
        "Invalid expiration of {0}. Expiration times must be at least {LIFETIME_S_MIN} seconds in the future."
    )]
    SoonExpiration(u64),
    /// Metadata that is too long.
    #[error("Metadata length of {0} exceeds limit of {METADATA_BYTES_MAX}.")]
    LongMetadata(usize),
    /// A value that is too long.
    #[error("Value length of {0} exceeds limit of {VALUE_BYTES_MAX}.")]
    LongValue(usize),
}

impl InvalidKv {
    /// The HTTP status with which the real service says it.
    pub const fn status(&self) -> u16 {
        match self {
            Self::LongKey(_) => 414,
            Self::LongMetadata(_) | Self::LongValue(_) => 413,
            Self::EmptyKey
            | Self::DotKey(_)
            | Self::Ttl(_)
            | Self::ShortTtl(_)
            | Self::Expiration(_)
            | Self::SoonExpiration(_) => 400,
        }
    }
}

impl KvKey {
    /// Checks a key.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidKv> {
        match text {
            "" => Err(InvalidKv::EmptyKey),
            "." | ".." => Err(InvalidKv::DotKey(text.to_owned())),
            _ if text.len() > KEY_BYTES_MAX => Err(InvalidKv::LongKey(text.len())),
            _ => Ok(Self(text.into())),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// When a pair expires, in seconds since the Unix epoch: `ttl` seconds from now, or at `expiration`; `ttl` wins.
/// Both are texts of whole numbers; `None`: never.
///
/// # Errors
/// The number that breaks a rule.
pub fn expiry(now_s: u64, expiration: Option<&str>, ttl: Option<&str>) -> Result<Option<u64>, InvalidKv> {
    if let Some(text) = ttl {
        let seconds = whole(text).filter(|seconds| *seconds > 0);
        let seconds = seconds.ok_or_else(|| InvalidKv::Ttl(shown(text)))?;
        if seconds < LIFETIME_S_MIN {
            return Err(InvalidKv::ShortTtl(seconds));
        }
        return Ok(Some(now_s.saturating_add(seconds)));
    }
    let Some(text) = expiration else { return Ok(None) };
    let at = whole(text).filter(|at| *at > now_s).ok_or_else(|| InvalidKv::Expiration(shown(text)))?;
    if at < now_s.saturating_add(LIFETIME_S_MIN) {
        return Err(InvalidKv::SoonExpiration(at));
    }
    Ok(Some(at))
}

/// A whole number. Clients write some as `3600.0`.
fn whole(text: &str) -> Option<u64> {
    let digits = text.split_once('.').map_or(text, |(whole, _)| whole);
    digits.parse().ok().filter(|number| *number <= i64::MAX as u64)
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_neither_empty_nor_dots_nor_long() {
        for good in ["a", "...", "a/b", "%2e", "\0", "ключ", " ", &"k".repeat(512)] {
            assert_eq!(KvKey::parse(good).unwrap().as_str(), good);
        }
        for (bad, status) in [("", 400), (".", 400), ("..", 400), (&*"k".repeat(513), 414)] {
            assert_eq!(KvKey::parse(bad).unwrap_err().status(), status, "{bad}");
        }
        assert!(KvKey::parse(&"я".repeat(257)).is_err(), "bytes are counted");
    }

    #[test]
    fn a_lifetime_is_a_minute_at_the_least() {
        for (expiration, ttl, expected) in [
            (None, None, Ok(None)),
            (None, Some("60"), Ok(Some(1060))),
            (None, Some("60.0"), Ok(Some(1060))),
            (Some("x"), Some("61"), Ok(Some(1061))),
            (Some("1060"), None, Ok(Some(1060))),
            (None, Some("59"), Err(InvalidKv::ShortTtl(59))),
            (None, Some("0"), Err(InvalidKv::Ttl("0".into()))),
            (None, Some("-1"), Err(InvalidKv::Ttl("-1".into()))),
            (None, Some("99999999999999999999"), Err(InvalidKv::Ttl("99999999999999999999".into()))),
            (Some("1000"), None, Err(InvalidKv::Expiration("1000".into()))),
            (Some("soon"), None, Err(InvalidKv::Expiration("soon".into()))),
            (Some("1059"), None, Err(InvalidKv::SoonExpiration(1059))),
        ] {
            assert_eq!(expiry(1000, expiration, ttl), expected, "{expiration:?} {ttl:?}");
        }
    }
}

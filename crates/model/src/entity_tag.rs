//! Conditional requests: whether the client holds what we would send.

/// Whether an `If-None-Match` header names this entity tag (strong, in its quotes): answer 304.
///
/// Cloudflare Pages serving rules, "Serving an asset": compared as one exact string with `"<key>"` and
/// `W/"<key>"`. Lists, `*`, a lower-case `w/` and blanks do not match.
pub fn is_current(header: &[u8], etag: &[u8]) -> bool {
    header == etag || header.strip_prefix(b"W/") == Some(etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_matches_as_one_exact_string() {
        for (header, current) in [
            ("\"0a1b\"", true),
            ("W/\"0a1b\"", true),
            ("w/\"0a1b\"", false),
            ("W/ \"0a1b\"", false),
            ("W/W/\"0a1b\"", false),
            ("0a1b", false),
            ("\"0A1B\"", false),
            ("\"0a1b\", \"x\"", false),
            ("\"x\", \"0a1b\"", false),
            (" \"0a1b\"", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(is_current(header.as_bytes(), b"\"0a1b\""), current, "{header}");
        }
    }
}

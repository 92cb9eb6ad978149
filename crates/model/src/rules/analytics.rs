//! Web Analytics: the script that reports page views to Cloudflare.
//!
//! Cloudflare Pages serving rules, "Web Analytics". A page is changed once, when it is read into
//! memory, and never per request.

use super::html::Tags;

const BEFORE_TOKEN: &[u8] = b"<!-- Cloudflare Pages Analytics --><script defer \
    src='https://static.cloudflareinsights.com/beacon.min.js' data-cf-beacon='{\"token\": \"";
const BEHIND_TOKEN: &[u8] = b"\"}'></script><!-- Cloudflare Pages Analytics -->";

/// Longest token, in bytes; Cloudflare's have 32.
pub const TOKEN_BYTES_MAX: usize = 128;

/// Whether a token may stand in a page: 1 to [`TOKEN_BYTES_MAX`] ASCII letters, digits, `-` and `_`.
///
/// Any other could end the string or the attribute that it stands in, and none is known to exist, so
/// that they are refused and not escaped.
pub fn is_token(token: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(allowed)
}

/// The page with the snippet at the end of each `<body>` element, before its end tag; `None` if nothing
/// is inserted, because there is no such place or the token is none ([`is_token`]).
///
/// Each `</body>` closes the innermost open `<body>`, and what a page opens but never closes gets
/// nothing, even if `</html>` follows. So a second body gets its own snippet, nested or not, if it has
/// its own end tag, and a `</body>` that closes nothing gets none. Tags in comments, in scripts and
/// other elements whose content is text, and in `<template>` do not count.
pub fn inject(page: &[u8], token: &str) -> Option<Vec<u8>> {
    let ends = if is_token(token) { body_ends(page) } else { Vec::new() };
    if ends.is_empty() {
        return None;
    }
    let snippet = [BEFORE_TOKEN, token.as_bytes(), BEHIND_TOKEN].concat();
    let mut changed = Vec::with_capacity(page.len() + ends.len() * snippet.len());
    let mut copied = 0;
    for end in ends {
        changed.extend_from_slice(&page[copied..end]);
        changed.extend_from_slice(&snippet);
        copied = end;
    }
    changed.extend_from_slice(&page[copied..]);
    Some(changed)
}

/// Where the end tags of body elements stand, in order.
fn body_ends(page: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let (mut open_bodies, mut open_templates) = (0_usize, 0_usize);
    for tag in Tags::new(page) {
        match (tag.is("body"), tag.is("template")) {
            (_, true) if tag.is_end => open_templates = open_templates.saturating_sub(1),
            (_, true) => open_templates += 1,
            (true, _) if open_templates > 0 => {}
            (true, _) if !tag.is_end => open_bodies += 1,
            (true, _) if open_bodies > 0 => {
                open_bodies -= 1;
                ends.push(tag.start);
            }
            _ => {}
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNIPPET: &str = "<!-- Cloudflare Pages Analytics --><script defer src='https://static.cloudflareinsights.com/beacon.min.js' data-cf-beacon='{\"token\": \"0a1b\"}'></script><!-- Cloudflare Pages Analytics -->";

    fn injected(page: &str) -> String {
        let changed = inject(page.as_bytes(), "0a1b").unwrap_or_else(|| panic!("nothing in {page}"));
        String::from_utf8(changed).unwrap()
    }

    #[test]
    fn the_snippet_stands_at_the_end_of_each_body() {
        // `|` marks the place.
        for page in [
            "<body>|</body>",
            "<!doctype html><html><head><title>t</title></head><BODY class='a>b'>\n<p>x\n|</Body ></html>\n",
            "<body><script>'</body>'</script><!-- </body> -->|</body>",
            "<body><template><body></body></template>|</body>",
            "<body><template></body></template>|</body>",
            "<body></template>|</body>",
            "<body>|</body><body>|</body>",
            "<body>a<body>b|</body>c|</body>",
            "<body>a<body>b|</body>",
            "<body>|</body></body>",
            "</body><body>|</body>",
            "<body/>|</body>",
            "<body>\u{e9}|</body>\u{e9}",
        ] {
            assert_eq!(injected(&page.replace('|', "")), page.replace('|', SNIPPET), "{page}");
        }
    }

    #[test]
    fn a_page_without_a_closed_body_stays_as_it_is() {
        for page in [
            "",
            "text",
            "<p>x",
            "<body>",
            "<html><body>x</html>",
            "</body>",
            "<html>x</body></html>",
            "<bodyguard></body>",
            "<body></bodyguard>",
            "<body></body",
            "<!-- <body></body> -->",
            "<script><body></body></script>",
            "<noscript><body></body></noscript>",
            "<textarea><body></body></textarea>",
            "<template><body></body></template>",
            "<template><template></template><body></body>",
            "<a title='<body></body>'>",
        ] {
            assert_eq!(inject(page.as_bytes(), "0a1b"), None, "{page}");
        }
    }

    #[test]
    fn a_token_cannot_break_out_of_the_snippet() {
        for token in
            ["", "a'b", "a\"b", "a\\b", "a<b", "a>b", "a&b", "a b", "a\nb", "\u{e9}", &"a".repeat(129)]
        {
            assert_eq!(inject(b"<body></body>", token), None, "{token}");
        }
        for token in ["a", "0123456789abcdef0123456789abcdef", "A-b_9", &"a".repeat(128)] {
            assert!(inject(b"<body></body>", token).is_some(), "{token}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost(page in "(<body|</body|<!--|-->|<script>|</script|<template>|[<>/='\"a-]|\\PC){0,80}") {
            if let Some(changed) = inject(page.as_bytes(), "0a1b") {
                proptest::prop_assert_eq!(String::from_utf8(changed).unwrap().replace(SNIPPET, ""), page);
            }
        }
    }
}

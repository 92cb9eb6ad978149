//! Early hints and Web Analytics: what is read from, and written into, HTML pages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint_fuzz::request;
use offprint_model::rules::analytics::inject;
use offprint_model::rules::early_hints::EarlyHints;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const SNIPPET: &[u8] = b"<!-- Cloudflare Pages Analytics --><script defer src='https://static.cloudflareinsights.com/beacon.min.js' data-cf-beacon='{\"token\": \"0123456789abcdef0123456789abcdef\"}'></script><!-- Cloudflare Pages Analytics -->";

fuzz_target!(|page: &[u8]| {
    let hints = EarlyHints::scan(page);
    let header = hints.header(&request("/dir/page", ""));
    if let Some(header) = &header {
        assert!(!hints.is_empty());
        assert!(header.starts_with('<') && !header.contains(char::is_control), "{header:?}");
    }
    if hints.is_constant() {
        assert_eq!(hints.constant_header(), header);
    }
    if let Some(changed) = inject(page, TOKEN) {
        let words = page.to_ascii_lowercase();
        assert!(contains(&words, b"<body") && contains(&words, b"</body"));
        assert!(is_page_with_snippets(page, &changed));
        assert_eq!(EarlyHints::scan(&changed), hints, "the snippet carries no hints and hides none");
    }
    assert_eq!(inject(page, "no'token"), None);
});

fn contains(page: &[u8], words: &[u8]) -> bool {
    page.windows(words.len()).any(|window| window == words)
}

/// Whether `changed` is `page` with snippets, and only snippets, put in before end tags.
fn is_page_with_snippets(page: &[u8], changed: &[u8]) -> bool {
    let (mut page, mut changed) = (page, changed);
    while !changed.is_empty() {
        let ahead = changed.strip_prefix(SNIPPET).filter(|rest| {
            let is_end = rest.get(..6).is_some_and(|tag| tag.eq_ignore_ascii_case(b"</body"));
            is_end && page.get(..6) == rest.get(..6) && page.len() < changed.len()
        });
        if let Some(rest) = ahead {
            changed = rest;
        } else if page.first() == changed.first() {
            (page, changed) = (&page[1..], &changed[1..]);
        } else {
            return false;
        }
    }
    page.is_empty()
}

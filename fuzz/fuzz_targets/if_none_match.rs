//! `If-None-Match`. Input: a line with the asset's key, then the header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint_fuzz::split_line;
use offprint_model::asset::AssetKey;
use offprint_model::entity_tag::is_current;

fuzz_target!(|input: &[u8]| {
    let (key, header) = split_line(input);
    let Some(key) = std::str::from_utf8(key).ok().and_then(|key| AssetKey::parse(key).ok()) else { return };
    let (strong, weak) = (format!("\"{key}\""), format!("W/\"{key}\""));
    let expected = header == strong.as_bytes() || header == weak.as_bytes();
    assert_eq!(is_current(header, strong.as_bytes()), expected);
    assert!(is_current(strong.as_bytes(), strong.as_bytes()));
    assert!(is_current(weak.as_bytes(), strong.as_bytes()));
    assert!(!is_current(key.as_str().as_bytes(), strong.as_bytes()));
});

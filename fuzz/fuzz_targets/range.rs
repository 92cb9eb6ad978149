//! `Range` and `If-Range`. Input: a line with the length in decimal, then the header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint_fuzz::split_line;
use offprint_model::range::{Ranged, if_range_holds, of};

const ETAG: &[u8] = b"\"0a1b\"";

fuzz_target!(|input: &[u8]| {
    let (length, header) = split_line(input);
    let length = std::str::from_utf8(length).ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let ranged = of(header, length);
    match ranged {
        Ranged::Whole => {}
        Ranged::Part { start, end } => {
            assert!(start < end && end <= length);
            let plain = format!("bytes={start}-{}", end - 1);
            assert_eq!(of(plain.as_bytes(), length), ranged);
            // A longer asset has these bytes too.
            assert_eq!(of(plain.as_bytes(), u64::MAX), ranged);
        }
        Ranged::Unsatisfiable => {
            assert!(header.contains(&b'-') && header.iter().any(u8::is_ascii_digit));
        }
    }
    if header.iter().filter(|byte| **byte == b'-').count() != 1 {
        assert_eq!(ranged, Ranged::Whole);
    }
    assert_eq!(of(&[b" ", header, b"\t"].concat(), length), ranged);
    assert_eq!(of(&header.to_ascii_uppercase(), length), ranged);
    if if_range_holds(header, ETAG) {
        assert_eq!(header.trim_ascii(), ETAG);
    }
});

//! Range requests: which part of an asset a `Range` header asks for.
//!
//! RFC 9110, section 14. A server may ignore `Range`, so whatever is not one plain range of bytes is
//! answered with the whole asset; the only refusal is a range that lies behind the end.

/// What a `Range` header means for an asset of a known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranged {
    /// Answer with all of it: 200.
    Whole,
    /// Answer with these bytes: 206. Never empty, and never beyond the length.
    Part {
        /// The first byte.
        start: u64,
        /// One behind the last byte.
        end: u64,
    },
    /// There are no such bytes: 416.
    Unsatisfiable,
}

/// Reads a `Range` header for an asset of `length` bytes.
///
/// The forms are `bytes=a-b`, `bytes=a-` and `bytes=-n`; the unit in any letter case. Several ranges,
/// another unit and anything malformed (`b` before `a` included) are [`Ranged::Whole`]. Blanks may
/// stand around the value and around the commas of empty list elements, nowhere else.
///
/// `b` and `n` are cut to the length. A first byte at or behind the end is unsatisfiable, and so is
/// `-0`. The last bytes of an empty asset are satisfiable for the RFC (section 14.1.2), but
/// `Content-Range` cannot name an empty part: that is [`Ranged::Whole`]. Numbers too large for 64 bits
/// count as the largest.
pub fn of(header: &[u8], length: u64) -> Ranged {
    let Some((first, last)) = one_range(header) else { return Ranged::Whole };
    match (first, last) {
        (Some(first), last) => {
            if last.is_some_and(|last| last < first) {
                return Ranged::Whole;
            }
            if first >= length {
                return Ranged::Unsatisfiable;
            }
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            Ranged::Part { start: first, end }
        }
        (None, Some(0)) => Ranged::Unsatisfiable,
        (None, Some(_)) if length == 0 => Ranged::Whole,
        (None, Some(suffix)) => Ranged::Part { start: length.saturating_sub(suffix), end: length },
        (None, None) => Ranged::Whole,
    }
}

/// Whether an `If-Range` header lets the `Range` beside it count, for an asset with this strong entity
/// tag (in its quotes).
///
/// RFC 9110, section 13.1.5: the comparison is strong, so a weak tag never holds, on either side. A
/// date never holds because we send no `Last-Modified`.
pub fn if_range_holds(header: &[u8], strong_etag: &[u8]) -> bool {
    strong_etag.starts_with(b"\"") && trim(header) == strong_etag
}

/// The first and last byte position of the only range in the header, as far as they are given.
fn one_range(header: &[u8]) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, ranges) = split_once(trim(header), b'=')?;
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    // A list may hold empty elements; blanks belong to commas only.
    let only = if ranges.contains(&b',') {
        let mut elements = ranges.split(|byte| *byte == b',').map(trim).filter(|element| !element.is_empty());
        let only = elements.next()?;
        if elements.next().is_some() {
            return None;
        }
        only
    } else {
        ranges
    };
    let (first, last) = split_once(only, b'-')?;
    Some((position(first)?, position(last)?))
}

/// A decimal number, or nothing at all; `None` if it is something else.
#[expect(clippy::option_option, reason = "malformed and absent are different answers")]
fn position(digits: &[u8]) -> Option<Option<u64>> {
    if digits.is_empty() {
        return Some(None);
    }
    let add = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    };
    digits.iter().try_fold(0, add).map(Some)
}

fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Without the optional whitespace of the RFC (blanks and tabs) at both ends.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ranged::{Unsatisfiable, Whole};

    const fn part(start: u64, end: u64) -> Ranged {
        Ranged::Part { start, end }
    }

    #[test]
    fn one_range_is_cut_to_the_length() {
        for (header, length, ranged) in [
            ("bytes=0-0", 10, part(0, 1)),
            ("bytes=0-9", 10, part(0, 10)),
            ("bytes=0-10", 10, part(0, 10)),
            ("bytes=3-5", 10, part(3, 6)),
            ("bytes=9-", 10, part(9, 10)),
            ("bytes=0-", 10, part(0, 10)),
            ("bytes=-1", 10, part(9, 10)),
            ("bytes=-10", 10, part(0, 10)),
            ("bytes=-11", 10, part(0, 10)),
            ("bytes=007-008", 10, part(7, 9)),
            ("BYTES=1-2", 10, part(1, 3)),
            (" bytes=1-2\t", 10, part(1, 3)),
            ("bytes=, 1-2 ,\t,", 10, part(1, 3)),
            ("bytes=0-18446744073709551615", 10, part(0, 10)),
            ("bytes=0-99999999999999999999999999", 10, part(0, 10)),
            ("bytes=-99999999999999999999999999", 10, part(0, 10)),
            ("bytes=0-", u64::MAX, part(0, u64::MAX)),
            ("bytes=1-18446744073709551615", u64::MAX, part(1, u64::MAX)),
        ] {
            assert_eq!(of(header.as_bytes(), length), ranged, "{header} of {length}");
        }
    }

    #[test]
    fn what_lies_behind_the_end_is_refused() {
        for (header, length) in [
            ("bytes=10-", 10),
            ("bytes=10-11", 10),
            ("bytes=99999999999999999999-", 10),
            ("bytes=-0", 10),
            ("bytes=-000", 10),
            ("bytes=0-", 0),
            ("bytes=0-0", 0),
            ("bytes=-0", 0),
        ] {
            assert_eq!(of(header.as_bytes(), length), Unsatisfiable, "{header} of {length}");
        }
    }

    #[test]
    fn anything_else_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=,",
            "bytes=0-1,2-3",
            "bytes=0-1,,2-3",
            "bytes=5-3",
            "bytes=a-b",
            "bytes=0x1-2",
            "bytes=+1-2",
            "bytes=--1",
            "bytes=1--2",
            "bytes=1-2-3",
            "bytes=1",
            "bytes=1.0-2",
            "bytes= 1-2",
            "bytes =1-2",
            "bytes=1 -2",
            "bytes=1- 2",
            "items=0-1",
            "bytes:0-1",
            "0-1",
            "bytes=0-1;2-3",
            "bytes=\u{661}-2",
        ] {
            assert_eq!(of(header.as_bytes(), 10), Whole, "{header}");
        }
        assert_eq!(of(b"bytes=\xFF-1", 10), Whole);
        assert_eq!(of(b"bytes=-5", 0), Whole);
    }

    #[test]
    fn if_range_compares_strongly() {
        let etag = b"\"k\"";
        for (header, holds) in [
            (&b"\"k\""[..], true),
            (b" \"k\" ", true),
            (b"W/\"k\"", false),
            (b"\"K\"", false),
            (b"k", false),
            (b"\"k\", \"x\"", false),
            (b"*", false),
            (b"Sat, 01 Jan 2000 00:00:00 GMT", false),
            (b"", false),
        ] {
            assert_eq!(if_range_holds(header, etag), holds, "{}", String::from_utf8_lossy(header));
        }
        assert!(!if_range_holds(b"W/\"k\"", b"W/\"k\""));
        assert!(!if_range_holds(b"", b""));
    }

    proptest::proptest! {
        #[test]
        fn a_part_lies_inside(header in "(bytes=)?[0-9 ,=\t-]{0,30}", length: u64) {
            if let Ranged::Part { start, end } = of(header.as_bytes(), length) {
                proptest::prop_assert!(start < end && end <= length);
            }
        }

        #[test]
        fn well_formed_ranges_are_the_bytes_they_name(first: u64, last: u64, length: u64) {
            let expected = match () {
                () if last < first => Whole,
                () if first >= length => Unsatisfiable,
                () => part(first, last.saturating_add(1).min(length)),
            };
            proptest::prop_assert_eq!(of(format!("bytes={first}-{last}").as_bytes(), length), expected);
        }
    }
}

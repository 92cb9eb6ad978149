//! `Accept-Encoding`. Input: a byte whose low bits say which codings are available, then the header's
//! lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint_model::accept_encoding::{Choice, accepts_identity_naively, choose, choose_lines};
use offprint_model::encoding::{Encoding, EncodingSet};

fuzz_target!(|input: &[u8]| {
    let Some((mask, header)) = input.split_first() else { return };
    let is_available = |coding: &Encoding| mask >> coding.index() & 1 == 1;
    let available =
        Encoding::ALL.into_iter().filter(is_available).fold(EncodingSet::EMPTY, EncodingSet::with);
    let lines = || header.split(|byte| *byte == b'\n');
    let choice = choose_lines(lines(), available);

    let entries: Vec<(String, u32)> =
        lines().flat_map(|line| line.split(|b| *b == b',')).filter_map(entry).collect();
    let named = |names: &[&str]| {
        entries.iter().rev().find(|(name, _)| names.contains(&name.as_str())).map(|(_, weight)| *weight)
    };
    let star = named(&["*"]);
    let weight = |coding: Encoding| {
        let names = if coding == Encoding::Gzip { vec!["gzip", "x-gzip"] } else { vec![coding.token()] };
        named(&names).or(star).unwrap_or(0)
    };
    let identity = named(&["identity"]);
    let best = Encoding::ALL.into_iter().filter(is_available).map(weight).max().unwrap_or(0);
    match choice {
        Choice::Coded(coding) => {
            assert!(available.has(coding) && weight(coding) == best && best > 0);
            assert!(identity.unwrap_or(0) <= best);
            let before = Encoding::ALL.into_iter().take_while(|other| *other != coding);
            assert!(before.filter(is_available).all(|other| weight(other) < best));
        }
        Choice::Identity => {
            assert_ne!(identity.or(star), Some(0));
            assert!(best == 0 || identity > Some(best));
        }
        Choice::NotAcceptable => {
            assert_eq!(identity.or(star), Some(0));
            assert_eq!(best, 0);
        }
    }
    let joined = header.iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }).collect::<Vec<u8>>();
    assert_eq!(choose(Some(&joined), available), choice);

    let acceptable = accepts_identity_naively(lines());
    assert!(acceptable || header.contains(&b';'));
});

/// Reads an entry of the list in a roundabout way; the weight in thousandths.
fn entry(entry: &[u8]) -> Option<(String, u32)> {
    let entry: String =
        entry.trim_ascii().iter().map(|byte| char::from(*byte).to_ascii_lowercase()).collect();
    let Some((name, parameter)) = entry.split_once(';') else { return Some((entry, 1000)) };
    let digits = parameter.trim_matches([' ', '\t', '\r', '\n', '\x0c']).strip_prefix("q=")?;
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let legal =
        ["0", "1"].contains(&whole) && decimals.len() <= 3 && decimals.bytes().all(|b| b.is_ascii_digit());
    let thousandths = format!("{decimals:0<3}").parse::<u32>().ok().filter(|_| legal)?;
    let weight = whole.parse::<u32>().ok()? * 1000 + thousandths;
    (weight <= 1000).then(|| (name.trim_ascii().to_owned(), weight))
}

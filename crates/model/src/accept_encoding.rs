//! Content negotiation: which coding of an asset a client is given.
//!
//! [`choose`] follows RFC 9110, section 12.5.3. [`accepts_identity_naively`] follows Cloudflare Pages,
//! for the strict mode in which only the plain form exists.

use crate::encoding::{Encoding, EncodingSet};

/// The outcome of a negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Send the bytes as they are.
    Identity,
    /// Send the variant in this coding, which is available.
    Coded(Encoding),
    /// The client takes neither the plain form nor any available coding.
    NotAcceptable,
}

/// Chooses by one `Accept-Encoding` header, or by its absence; see [`choose_lines`].
pub fn choose(header: Option<&[u8]>, available: EncodingSet) -> Choice {
    choose_lines(header.into_iter(), available)
}

/// Chooses the form of an asset by all lines of `Accept-Encoding`.
///
/// - The available coding with the highest quality above 0 wins; of equals the first in
///   [`Encoding::ALL`]. `x-gzip` is `gzip`. `*` stands for the codings that are not named.
/// - A named `identity` wins if its quality is higher than that of every available coding.
/// - An unnamed `identity` comes last, but is acceptable unless there is `*;q=0`. A `*` above 0 does not
///   raise it: whoever takes anything takes the smaller form.
/// - No header, an empty one, and one with only unknown codings mean identity.
///
/// Names and the `q` are read in any letter case, with blanks and tabs around `,` and `;`. An entry
/// that is not `name` or `name;q=weight` (0 to 1, three decimals at the most) says nothing, as if it
/// were not there. Of two entries with one name the last counts.
pub fn choose_lines<'a>(lines: impl Iterator<Item = &'a [u8]>, available: EncodingSet) -> Choice {
    let mut weights = Weights::default();
    for line in lines {
        line.split(|byte| *byte == b',').for_each(|entry| weights.read(entry));
    }
    weights.choose(available)
}

/// A quality in thousandths.
type Weight = u16;

#[derive(Default)]
struct Weights {
    codings: [Option<Weight>; Encoding::ALL.len()],
    identity: Option<Weight>,
    any: Option<Weight>,
}

impl Weights {
    fn read(&mut self, entry: &[u8]) {
        let (name, weight) = match entry.iter().position(|byte| *byte == b';') {
            None => (entry, Some(1000)),
            Some(at) => (&entry[..at], parse_weight(&entry[at + 1..])),
        };
        let Some(slot) = self.slot(name.trim_ascii()) else { return };
        if weight.is_some() {
            *slot = weight;
        }
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Weight>> {
        let is = |token: &str| name.eq_ignore_ascii_case(token.as_bytes());
        if name == b"*" {
            return Some(&mut self.any);
        }
        if is("identity") {
            return Some(&mut self.identity);
        }
        let coding = Encoding::ALL.into_iter().find(|coding| is(coding.token()));
        let coding = coding.or_else(|| is("x-gzip").then_some(Encoding::Gzip))?;
        Some(&mut self.codings[coding.index()])
    }

    fn choose(&self, available: EncodingSet) -> Choice {
        let mut best: Option<(Encoding, Weight)> = None;
        for coding in Encoding::ALL {
            let weight = self.codings[coding.index()].or(self.any).unwrap_or(0);
            if available.has(coding) && weight > best.map_or(0, |(_, weight)| weight) {
                best = Some((coding, weight));
            }
        }
        match (best, self.identity) {
            (Some((_, weight)), Some(identity)) if identity > weight => Choice::Identity,
            (Some((coding, _)), _) => Choice::Coded(coding),
            (None, Some(0)) => Choice::NotAcceptable,
            (None, None) if self.any == Some(0) => Choice::NotAcceptable,
            (None, _) => Choice::Identity,
        }
    }
}

/// Reads what follows the `;` of an entry: `q=` and a quality value of RFC 9110, section 12.4.2.
fn parse_weight(parameter: &[u8]) -> Option<Weight> {
    let [b'q' | b'Q', b'=', value @ ..] = parameter.trim_ascii() else { return None };
    let (whole, decimals) = match value {
        [whole] => (whole, &b""[..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = decimals.get(place).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths = thousandths * 10 + Weight::from(digit - b'0');
    }
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// Whether the plain form is acceptable for the lines of `Accept-Encoding`, as Pages reads them.
///
/// Cloudflare Pages serving rules, "Serving an asset": false for `identity;q=0`, and for `*;q=0`
/// without a word about identity. Blanks are removed, entries split at `,` and at the literal `;q=`,
/// letter case matters, and a weight that is no number is as good as none. Lines that are not text are
/// left out.
pub fn accepts_identity_naively<'a>(lines: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut identity = None;
    let mut any = None;
    for line in lines {
        // Without a `;` nothing can be ruled out: that is nearly every request.
        if !line.contains(&b';') || !line.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
            continue;
        }
        for entry in line.split(|byte| *byte == b',') {
            let entry: String =
                entry.iter().filter(|byte| !b" \t".contains(byte)).map(|b| *b as char).collect();
            let mut pieces = entry.split(";q=");
            let name = pieces.next().unwrap_or_default();
            let weight = pieces.next().and_then(|weight| weight.parse::<f32>().ok());
            let acceptable = weight.is_none_or(|weight| weight > 0.0);
            match name {
                "identity" => identity = Some(acceptable),
                "*" => any = Some(acceptable),
                _ => {}
            }
        }
    }
    identity.or(any).unwrap_or(true)
}

#[cfg(test)]
mod tests;

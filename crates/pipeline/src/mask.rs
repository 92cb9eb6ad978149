//! Secrets do not reach the log: they are replaced in every line, also where a program has encoded them.
//!
//! A secret is looked for as it is, line by line when it has several, and as base64 (also in the middle of
//! something longer, and broken into lines), percent-encoded, in hex, and escaped as in JSON. Every byte that
//! belongs to a find is hidden, so that two secrets which overlap leave no remains. What is not found is a
//! secret that a build takes apart on purpose: whoever may change the build command may have the secret.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64_simd::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter secrets are not hidden: half of the log would go with them.
pub(crate) const SECRET_BYTES_MIN: usize = 4;
/// Encoded forms and lines of a secret that are shorter stay, since they may be anything.
const PART_BYTES_MIN: usize = 6;
/// Of longer secrets only the usual forms are looked for, to bound the memory.
const MANY_FORMS_BYTES_MAX: usize = 1024;
/// What stands in a secret's place.
const MASK: &str = "***";
/// Where programs break base64: `base64` and MIME after 76 characters, PEM after 64.
const BASE64_COLUMNS: [usize; 2] = [76, 64];

/// Finds the secrets of one deployment.
pub(crate) struct Masker {
    finder: Option<AhoCorasick>,
    /// The longest form in bytes.
    longest: usize,
}

impl Masker {
    /// A masker of these secrets. Those shorter than [`SECRET_BYTES_MIN`] are passed over.
    pub(crate) fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            add_forms(secret.as_ref(), &mut forms);
        }
        let longest = forms.iter().map(String::len).max().unwrap_or_default();
        // A table of all transitions would take seconds to make of a long secret that repeats itself: each of its states
        // looks through all that came before.
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::ContiguousNFA));
        let finder = if forms.is_empty() { None } else { builder.build(&forms).ok() };
        Self { finder, longest }
    }

    /// A whole line with its secrets hidden.
    pub(crate) fn line(&self, text: &str) -> String {
        MaskedLine::default().piece(self, text, true)
    }

    /// Where secrets are, in order and apart from one another. The first `covered` bytes belong to one.
    fn found(&self, text: &str, covered: usize) -> Vec<Range<usize>> {
        let mut finds: Vec<Range<usize>> = Vec::new();
        if covered > 0 {
            finds.push(0..covered);
        }
        if let Some(finder) = &self.finder {
            finds.extend(finder.find_overlapping_iter(text).map(|find| find.range()));
        }
        finds.sort_unstable_by_key(|find| find.start);
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(finds.len());
        for find in finds {
            match apart.last_mut() {
                Some(last) if find.start < last.end => last.end = last.end.max(find.end),
                _ => apart.push(find),
            }
        }
        apart
    }
}

/// A line that arrives in pieces. What may be the beginning of a secret waits for the next piece.
#[derive(Default)]
pub(crate) struct MaskedLine {
    held: String,
    /// So many of the held bytes belong to a secret whose mask was already given out.
    covered: usize,
}

impl MaskedLine {
    /// Adds a piece and returns what can be shown. `ends` says that it is the line's last one.
    pub(crate) fn piece(&mut self, masker: &Masker, text: &str, ends: bool) -> String {
        self.held.push_str(text);
        let held = std::mem::take(&mut self.held);
        let cut = match ends {
            true => held.len(),
            false => held.floor_char_boundary(held.len().saturating_sub(masker.longest.saturating_sub(1))),
        };
        if cut == 0 {
            // All of it may be the beginning of something.
            self.held = held;
            return String::new();
        }
        let finds = masker.found(&held, self.covered);
        let (mut shown, mut at) = (String::with_capacity(cut), 0);
        let masked_before = std::mem::take(&mut self.covered) > 0;
        for find in finds.into_iter().take_while(|find| find.start < cut) {
            shown.push_str(&held[at..find.start]);
            if find.start > 0 || !masked_before {
                shown.push_str(MASK);
            }
            at = find.end;
        }
        if at < cut {
            shown.push_str(&held[at..cut]);
        }
        self.covered = at.saturating_sub(cut);
        self.held = held[cut..].to_owned();
        shown
    }
}

/// Every form in which a secret is looked for.
fn add_forms(secret: &str, forms: &mut BTreeSet<String>) {
    for value in [secret, secret.trim()] {
        if value.len() < SECRET_BYTES_MIN {
            continue;
        }
        if value.contains(['\n', '\r']) {
            let lines = value.split(['\n', '\r']).map(str::trim);
            forms.extend(lines.filter(|line| line.len() >= PART_BYTES_MIN).map(str::to_owned));
        } else {
            forms.insert(value.to_owned());
        }
        add_encoded(value, forms);
    }
}

fn add_encoded(value: &str, forms: &mut BTreeSet<String>) {
    let mut add = |form: String| {
        if form.len() >= PART_BYTES_MIN && form != value {
            forms.insert(form);
        }
    };
    base64_forms(value.as_bytes()).into_iter().for_each(&mut add);
    add(percent(value, b"-_.!~*'()", false, None));
    add(escaped_as_json(value));
    if value.len() > MANY_FORMS_BYTES_MAX {
        return;
    }
    for lower in [false, true] {
        // As JavaScript's encodeURIComponent and encodeURI, RFC 3986, Python's quote, and HTML forms do.
        add(percent(value, b"-_.!~*'()", lower, None));
        add(percent(value, b"-_.!~*'();/?:@&=+$,#", lower, None));
        add(percent(value, b"-_.~", lower, None));
        add(percent(value, b"-_.~/", lower, None));
        add(percent(value, b"-_.*", lower, Some('+')));
        add(percent(value, b"-_.~", lower, Some('+')));
    }
    add(hex(value, false));
    add(hex(value, true));
}

/// The base64 characters that bytes fully decide, for each of the three places at which they may begin in
/// something longer, in both alphabets, whole and broken into lines.
fn base64_forms(bytes: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let padded = [&[0; 2][..before], bytes].concat();
        let decided = (before * 8).div_ceil(6)..padded.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode_to_string(&padded), URL_SAFE_NO_PAD.encode_to_string(&padded)] {
            let text = &text[decided.clone()];
            forms.push(text.to_owned());
            for columns in BASE64_COLUMNS.into_iter().filter(|columns| before == 0 && text.len() > *columns) {
                forms.extend(
                    text.as_bytes().chunks(columns).map(|line| String::from_utf8_lossy(line).into_owned()),
                );
            }
        }
    }
    // A short secret encoded on its own, where the last character also depends on the end.
    forms.push(STANDARD_NO_PAD.encode_to_string(bytes));
    forms.push(URL_SAFE_NO_PAD.encode_to_string(bytes));
    forms
}

/// Percent-encodes all but letters, digits and the bytes to keep; a blank becomes `blank` where given.
fn percent(value: &str, keep: &[u8], lower: bool, blank: Option<char>) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b' ' if blank.is_some() => text.extend(blank),
            byte if byte.is_ascii_alphanumeric() || keep.contains(&byte) => text.push(char::from(byte)),
            byte if lower => text.push_str(&format!("%{byte:02x}")),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn hex(value: &str, upper: bool) -> String {
    value.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
}

fn escaped_as_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64_simd::STANDARD;
    use proptest::prelude::*;

    fn masked(secrets: &[&str], text: &str) -> String {
        Masker::new(secrets).line(text)
    }

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let secret = "p/ss wörd+1";
        for form in [
            "p/ss wörd+1",
            "p%2Fss%20w%C3%B6rd%2B1",
            "p%2fss%20w%c3%b6rd%2b1",
            "p/ss%20w%C3%B6rd%2B1",
            "p%2Fss+w%C3%B6rd%2B1",
            "702f73732077c3b672642b31",
            "702F73732077C3B672642B31",
        ] {
            assert_eq!(masked(&[secret], &format!("a {form} b")), "a *** b", "{form}");
        }
        assert_eq!(masked(&["say \"hi\"\n"], r#"{"x":"say \"hi\"\n"}"#), r#"{"x":"***"}"#);
        assert_eq!(masked(&[secret], "nothing of it"), "nothing of it");
        assert_eq!(masked(&[], "nothing"), "nothing");
    }

    #[test]
    fn base64_is_found_in_the_middle_of_something_longer() {
        let secret = "correct horse battery";
        for around in ["", "u", "us", "use", "user:"] {
            let encoded = STANDARD.encode_to_string(format!("{around}{secret}{around}"));
            let shown = masked(&[secret], &encoded);
            assert!(shown.contains(MASK) && shown.len() < 24, "{around}: {shown}");
        }
        let long = "x1".repeat(200);
        let encoded = STANDARD.encode_to_string(format!("{long}\n"));
        for line in encoded.as_bytes().chunks(76) {
            let shown = masked(&[&long], std::str::from_utf8(line).unwrap());
            assert!(shown.len() < 12, "{shown}");
        }
    }

    #[test]
    fn each_line_of_a_key_is_hidden() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nqhkiG9w0BAQEF\n==\n-----END KEY-----\n";
        assert_eq!(masked(&[key], "key: MIIEvQIBADANBg"), "key: ***");
        assert_eq!(masked(&[key], "qhkiG9w0BAQEF"), "***");
        assert_eq!(masked(&[key], "a == b"), "a == b", "too short to be told from anything else");
    }

    #[test]
    fn short_secrets_stay_and_overlapping_ones_leave_nothing() {
        assert_eq!(masked(&["abc", ""], "abc"), "abc");
        assert_eq!(masked(&["abcdef", "defghi"], "1abcdefghi2"), "1***2");
        assert_eq!(masked(&["aaaa"], "aaaaaaaaaaab"), "***b");
    }

    #[test]
    fn long_secrets_that_repeat_themselves_are_hidden_like_others() {
        let secrets: Vec<String> = ["x", "ab", "1234"].iter().map(|part| part.repeat(10_000)).collect();
        for secret in &secrets {
            assert_eq!(Masker::new(&secrets).line(&format!("-{secret}-")), "-***-");
        }
    }

    #[test]
    fn a_long_secret_does_not_wait_for_ever() {
        let masker = Masker::new(["aaaa"]);
        let (mut line, mut shown) = (MaskedLine::default(), String::new());
        for _ in 0..100 {
            shown.push_str(&line.piece(&masker, &"a".repeat(1000), false));
            assert!(line.held.len() < 10, "{}", line.held.len());
        }
        shown.push_str(&line.piece(&masker, "b", true));
        assert_eq!(shown, "***b");
    }

    proptest! {
        #[test]
        fn no_secret_comes_through_however_the_line_is_cut(
            secrets in prop::collection::vec("[a-c/ é\"]{4,12}", 1..4),
            words in prop::collection::vec(prop_oneof![Just(None), "[a-c/ ]{0,6}".prop_map(Some)], 1..12),
            pick in 0..4usize,
            cuts in prop::collection::vec(0..200usize, 0..6),
        ) {
            let secret = &secrets[pick % secrets.len()];
            let text: String = words.iter().map(|word| word.as_deref().unwrap_or(secret)).collect();
            let masker = Masker::new(&secrets);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(*cut)).collect();
            cuts.sort_unstable();
            let (mut line, mut shown, mut at) = (MaskedLine::default(), String::new(), 0);
            for cut in cuts {
                shown.push_str(&line.piece(&masker, &text[at..cut], false));
                at = cut;
            }
            shown.push_str(&line.piece(&masker, &text[at..], true));
            for secret in &secrets {
                prop_assert!(!shown.contains(secret.as_str()), "{secret:?} in {shown:?} of {text:?}");
            }
            prop_assert_eq!(shown, masker.line(&text));
        }
    }
}

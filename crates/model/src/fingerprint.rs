//! Fingerprints: the content hashes that bundlers write into the names of assets.
//!
//! Skew protection keeps an asset of an earlier deployment reachable only if its name is
//! fingerprinted: such a name is asked for by pages of that deployment and means the same bytes for
//! ever. Whatever else was removed stays removed.

/// Whether an asset's decoded path carries a content hash.
///
/// The rule, with `.map` at the end left out of account. The extension puts an asset into one of four
/// classes:
///
/// - *pages* (`.html`, `.htm`, `.xhtml`, no extension) are never fingerprinted;
/// - *code* (`.js`, `.mjs`, `.cjs`, `.css`, `.wasm`): hashes are usual, names that look like one rare;
/// - *media* (pictures, fonts, sound, video, `.json`, `.webmanifest`): cameras and people number them;
/// - all else, such as `.pdf` and `.txt`.
///
/// Anything but a page is fingerprinted below a directory that a framework keeps for immutable assets:
/// `/_next/static/` and `/_app/immutable/`, also below a base path. Elsewhere some part between the
/// dots of the base name, except the extension, must be or end in a hash, behind `-`, `_` or `~`. (A part
/// behind a dot may also begin with a hash of the last form, before one of these.) The hashes are
///
/// 1. 16 to 64 hexadecimal digits of one letter case, among them a letter and a digit: any class;
/// 2. 8 to 15 of them in lower case: code and media. Not the letters `dec` or `feb` among digits (a
///    date), and in media not three or more letters before digits only (`cafe2023`);
/// 3. exactly 8 digits which are not a date of this or the last century (`20240115`): code;
/// 4. exactly 8 characters of `A–Z a–z 0–9 - _` (Rollup, esbuild): code and media, see below.
///
/// In media a hash of fewer than 16 characters must follow a name (`logo-…`, `logo.…`). The 8
/// characters of the last form are of one of these kinds:
///
/// - capitals, with or without digits: in code any, if they follow a name; else those not like a name;
/// - capitals and small letters, with or without digits, `-` and `_`, not like a name;
/// - small letters and digits, not like a name nor `1280x720` (Bun): code.
///
/// *Like a name* are `Menu2024`, `HomePage`, `DSC01234`: each piece between `-` and `_` is a plain word,
/// a number, or one behind the other; and the whole can be spoken or ends in three digits. A plain word
/// is all capitals, all small, or camel case with at least two letters a hump. It can be spoken if a
/// fifth of all letters are vowels (or `y`) and nowhere four consonants meet.
///
/// Hashes that happen to look like a word, a number or a date are missed: of hexadecimal ones in code
/// 1 in 2,000, of Rollup's 3 in 100, of media 4 to 10 in 100.
pub fn is_fingerprinted(path: &str) -> bool {
    let (directory, base) = path.rsplit_once('/').unwrap_or(("", path));
    let base = base.strip_suffix(".map").unwrap_or(base);
    let Some((stem, extension)) = base.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) else {
        return false;
    };
    let class = Class::of(extension);
    if class == Class::Page {
        return false;
    }
    if is_immutable_directory(directory) {
        return true;
    }
    stem.split('.').enumerate().any(|(at, part)| part_has_hash(part.as_bytes(), at > 0, class))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Page,
    Code,
    Media,
    Other,
}

impl Class {
    fn of(extension: &str) -> Self {
        const CODE: [&str; 5] = ["js", "mjs", "cjs", "css", "wasm"];
        const MEDIA: [&str; 24] = [
            "apng",
            "avif",
            "bmp",
            "gif",
            "ico",
            "jpeg",
            "jpg",
            "png",
            "svg",
            "webp",
            "eot",
            "otf",
            "ttf",
            "woff",
            "woff2",
            "flac",
            "m4a",
            "mov",
            "mp3",
            "mp4",
            "ogg",
            "webm",
            "json",
            "webmanifest",
        ];
        let is_one_of = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(extension));
        match () {
            () if is_one_of(&CODE) => Self::Code,
            () if is_one_of(&MEDIA) => Self::Media,
            () if is_one_of(&["html", "htm", "xhtml"]) => Self::Page,
            () => Self::Other,
        }
    }
}

fn is_immutable_directory(directory: &str) -> bool {
    ["_next/static", "_app/immutable"].iter().any(|known| {
        directory.match_indices(known).any(|(at, _)| {
            let ends = directory.as_bytes().get(at + known.len()).is_none_or(|next| *next == b'/');
            ends && directory[..at].ends_with('/')
        })
    })
}

/// Whether a part of a base name is a hash or ends in one.
fn part_has_hash(part: &[u8], follows_dot: bool, class: Class) -> bool {
    let token_start = part.iter().rposition(|byte| is_separator(*byte)).map_or(0, |at| at + 1);
    let token = &part[token_start..];
    let follows_name = follows_dot || token_start > 0;
    if is_hex_hash(token, follows_name, class) {
        return true;
    }
    // Astro writes a picture's measures behind the hash: `hero.Bq7zTXe9_Z1b2c3.webp`.
    if follows_dot && part.get(SHORT_HASH).is_some_and(|next| is_separator(*next)) {
        return is_short_hash(&part[..SHORT_HASH], true, class);
    }
    // The hashes of Rollup may contain separators, so here the length finds the beginning.
    let Some(start) = part.len().checked_sub(SHORT_HASH) else { return false };
    match start.checked_sub(1) {
        None => is_short_hash(part, follows_name, class),
        Some(before) => is_separator(part[before]) && is_short_hash(&part[start..], true, class),
    }
}

const SHORT_HASH: usize = 8;

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'~')
}

/// The first three kinds of hashes.
fn is_hex_hash(token: &[u8], follows_name: bool, class: Class) -> bool {
    let lower = token.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let upper = token.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    let digits = token.iter().filter(|byte| byte.is_ascii_digit()).count();
    if !(lower || upper) || digits == 0 || !(8..=64).contains(&token.len()) {
        return false;
    }
    match class {
        _ if digits == token.len() => class == Class::Code && digits == SHORT_HASH && !is_date(token),
        _ if token.len() >= 16 => true,
        Class::Code => lower && !is_worded_date(token),
        Class::Media => lower && follows_name && !is_worded_date(token) && !is_numbered_word(token),
        Class::Page | Class::Other => false,
    }
}

/// `yyyymmdd` of this or the last century, or the same the other way round.
fn is_date(digits: &[u8]) -> bool {
    let number =
        |from: usize, to: usize| digits[from..to].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    let is = |year: u32, month: u32, day: u32| {
        (1900..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
    };
    is(number(0, 4), number(4, 6), number(6, 8))
        || is(number(4, 8), number(2, 4), number(0, 2))
        || is(number(4, 8), number(0, 2), number(2, 4))
}

/// The months that are hexadecimal digits, as in `12dec2023`.
fn is_worded_date(token: &[u8]) -> bool {
    let mut words = token.split(u8::is_ascii_digit).filter(|word| !word.is_empty());
    matches!((words.next(), words.next()), (Some(b"dec" | b"feb"), None))
}

fn is_numbered_word(token: &[u8]) -> bool {
    let word = token.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    word >= 3 && token[word..].iter().all(u8::is_ascii_digit)
}

/// The last kind of hashes.
fn is_short_hash(token: &[u8], follows_name: bool, class: Class) -> bool {
    let has = |wanted: fn(&u8) -> bool| token.iter().any(wanted);
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let usual = class == Class::Code || class == Class::Media && follows_name;
    if token.len() != SHORT_HASH || !usual || !token.iter().all(in_alphabet) {
        return false;
    }
    let separated = has(|byte| is_separator(*byte));
    match (has(u8::is_ascii_uppercase), has(u8::is_ascii_lowercase)) {
        (true, true) => !reads_like_a_name(token),
        (false, false) => false,
        _ if separated => false,
        (true, false) => class == Class::Code && follows_name || !reads_like_a_name(token),
        (false, true) => {
            let mixed = class == Class::Code && has(u8::is_ascii_digit);
            mixed && !reads_like_a_name(token) && !is_dimension(token)
        }
    }
}

/// `1280x720`
fn is_dimension(token: &[u8]) -> bool {
    token.iter().filter(|byte| byte.is_ascii_alphabetic()).eq([&b'x'])
}

fn reads_like_a_name(token: &[u8]) -> bool {
    let plain = token.split(|byte| is_separator(*byte)).all(|piece| {
        let digits = |piece: &[u8]| piece.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let word = &piece[digits(piece)..];
        let (word, number) = word.split_at(word.iter().take_while(|byte| !byte.is_ascii_digit()).count());
        let surrounded = word.len() + number.len() < piece.len() && !number.is_empty();
        !piece.is_empty() && is_plain_word(word) && digits(number) == number.len() && !surrounded
    });
    let numbered = token[token.len().saturating_sub(3)..].iter().all(u8::is_ascii_digit);
    plain && (numbered || can_be_spoken(token))
}

/// All capitals, all small, or camel case with at least two letters a hump.
fn is_plain_word(word: &[u8]) -> bool {
    if word.iter().all(u8::is_ascii_uppercase) {
        return true;
    }
    let mut rest = word;
    while let [_, tail @ ..] = rest {
        let small = tail.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        if small == 0 {
            return false;
        }
        rest = &tail[small..];
    }
    true
}

fn can_be_spoken(token: &[u8]) -> bool {
    let is_vowel = |byte: &u8| b"aeiouyAEIOUY".contains(byte);
    let vowels = token.iter().filter(|byte| is_vowel(byte)).count();
    let letters = token.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let is_consonant = |byte: &u8| byte.is_ascii_alphabetic() && !is_vowel(byte);
    vowels * 5 >= letters && !token.windows(4).any(|run| run.iter().all(is_consonant))
}

#[cfg(test)]
mod tests;

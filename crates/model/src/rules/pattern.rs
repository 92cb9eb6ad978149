//! The little language of rule paths: literals, `*` and `:name`.
//!
//! Cloudflare Pages serving rules, "Rule language". The reference turns a rule into a regular
//! expression. A matcher of our own gives the same answers (a test compares the two) and costs a few
//! hundred bytes a rule instead of the caches of a regex engine, which matters with many sites.
//!
//! Matching is greedy and backtracks, as the reference does. Rules come from strangers, so when the
//! cheap way has tried too often a table of what can still match bounds the work to the length of
//! the path times the length of the rule. Where even that is too much the rule does not match.

mod table;

use std::fmt::Write as _;

/// A compiled rule path.
#[derive(Clone, Debug)]
pub struct Pattern {
    tokens: Box<[Token]>,
    has_host: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(Box<str>),
    /// One or more characters except `/`, in a host also except `.`.
    Name {
        name: Box<str>,
        in_host: bool,
    },
    /// Any characters, possibly none; captured as `splat`.
    Splat,
}

impl Token {
    fn capture_name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Name { name, .. } => Some(name),
            Self::Splat => Some("splat"),
        }
    }
}

/// What the wildcards of a rule matched, in order of appearance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures<'r, 'p>(Vec<(&'r str, &'p str)>);

impl<'r, 'p> Captures<'r, 'p> {
    /// Name and value of each capture, in order of appearance.
    pub fn iter(&self) -> impl Iterator<Item = (&'r str, &'p str)> + '_ {
        self.0.iter().copied()
    }

    /// Replaces `:name` in `text` by what was captured.
    ///
    /// The replacement is textual and one capture after the other: `:id` is also replaced inside
    /// `:idx`, a value may contain the placeholder of a later capture, and `$$`, `$&`, `` $` ``, `$'`
    /// in a value are the escapes of JavaScript's `replaceAll`.
    pub fn substitute(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let mut placeholder = String::new();
        for (name, value) in self.iter() {
            placeholder.clear();
            let _ = write!(placeholder, ":{name}");
            if text.contains(&placeholder) {
                text = replace_all(&text, &placeholder, value);
            }
        }
        text
    }
}

fn replace_all(text: &str, placeholder: &str, value: &str) -> String {
    let mut out = String::with_capacity(text.len() + value.len());
    let mut copied = 0;
    for (at, _) in text.match_indices(placeholder) {
        out.push_str(&text[copied..at]);
        copied = at + placeholder.len();
        push_replacement(&mut out, value, placeholder, &text[..at], &text[copied..]);
        // `` $` `` and `$'` can double the text with every placeholder; no honest rule gets here.
        if out.len() > SUBSTITUTION_BYTES_MAX {
            return out;
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// Where substitution stops: far above any URL or header that a client would take.
const SUBSTITUTION_BYTES_MAX: usize = 256 * 1024;

fn push_replacement(out: &mut String, value: &str, placeholder: &str, before: &str, after: &str) {
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let (inserted, length) = match rest.as_bytes().get(at + 1) {
            Some(b'$') => ("$", 2),
            Some(b'&') => (placeholder, 2),
            Some(b'`') => (before, 2),
            Some(b'\'') => (after, 2),
            _ => ("$", 1),
        };
        out.push_str(inserted);
        rest = &rest[at + length..];
        if out.len() > SUBSTITUTION_BYTES_MAX {
            return;
        }
    }
    out.push_str(rest);
}

/// Rule times path, in tokens and bytes, beyond which a rule that is hard to match does not match. It takes
/// twenty placeholders and a path of 50,000 bytes to get there, or the other way round.
const MATCH_WORK_MAX: usize = 1 << 20;

impl Pattern {
    /// Compiles a normalised rule path, or `https://host/path`.
    ///
    /// `None` for the rules which Pages drops silently at run time: two `*`, a name used twice
    /// (`*` is called `splat`), or a name that is the beginning of a later one.
    pub fn compile(rule: &str) -> Option<Self> {
        let absolute = rule.strip_prefix("https://");
        let has_host = absolute.is_some();
        let tokens = tokenise(absolute.unwrap_or(rule), has_host);
        let clashes = tokens.iter().enumerate().any(|(at, token)| {
            let Some(name) = token.capture_name() else { return false };
            let mut later = tokens[at + 1..].iter().filter_map(Token::capture_name);
            // The reference replaces `:name` textually, so also inside a longer name that follows.
            let in_longer_names = !matches!(token, Token::Splat);
            later.any(|other| other == name || (in_longer_names && other.starts_with(name)))
        });
        (!clashes).then(|| Self { tokens: tokens.into_boxed_slice(), has_host })
    }

    /// True if the rule names a host: then it is matched against host and path together.
    pub const fn has_host(&self) -> bool {
        self.has_host
    }

    /// Matches the whole of `subject`: an encoded path, or host and encoded path for rules with a host.
    pub fn matches<'r, 'p>(&'r self, subject: &'p str) -> Option<Captures<'r, 'p>> {
        // Most rules fail at their first literal; nothing has been allocated by then.
        if let Some(Token::Literal(literal)) = self.tokens.first()
            && !subject.starts_with(&**literal)
        {
            return None;
        }
        let mut search = Search {
            tokens: &self.tokens,
            subject,
            ends: Vec::with_capacity(self.tokens.len()),
            steps_left: 64 + 4 * (subject.len() + self.tokens.len()),
        };
        let found = match search.run(0, 0) {
            Attempt::Found => true,
            Attempt::Failed => false,
            Attempt::GaveUp if self.tokens.len() * subject.len() > MATCH_WORK_MAX => false,
            Attempt::GaveUp => {
                search.ends.clear();
                table::match_bounded(&self.tokens, subject, &mut search.ends)
            }
        };
        found.then(|| self.captures(subject, &search.ends))
    }

    fn captures<'r, 'p>(&'r self, subject: &'p str, ends: &[usize]) -> Captures<'r, 'p> {
        let mut start = 0;
        let mut captures = Vec::new();
        for (token, &end) in self.tokens.iter().zip(ends) {
            if let Some(name) = token.capture_name() {
                captures.push((name, &subject[start..end]));
            }
            start = end;
        }
        Captures(captures)
    }
}

/// True if a redirect source is more than a plain path, which decides where its rule is kept.
pub(super) fn is_dynamic(path: &str) -> bool {
    tokenise(path, false).iter().any(|token| !matches!(token, Token::Literal(_)))
}

fn tokenise(rule: &str, has_host: bool) -> Vec<Token> {
    let host_end = if has_host { rule.find('/').unwrap_or(rule.len()) } else { 0 };
    let mut tokens = Vec::new();
    let mut literal_start = 0;
    let mut at = 0;
    while at < rule.len() {
        let (token, length) = match rule.as_bytes()[at] {
            b'*' => (Token::Splat, 1),
            b':' => match name_length(&rule[at + 1..]) {
                0 => {
                    at += 1;
                    continue;
                }
                length => {
                    let name = rule[at + 1..=at + length].into();
                    (Token::Name { name, in_host: at < host_end }, length + 1)
                }
            },
            _ => {
                at += 1;
                continue;
            }
        };
        if literal_start < at {
            tokens.push(Token::Literal(rule[literal_start..at].into()));
        }
        tokens.push(token);
        at += length;
        literal_start = at;
    }
    if literal_start < rule.len() {
        tokens.push(Token::Literal(rule[literal_start..].into()));
    }
    tokens
}

/// Length of a placeholder name, `[A-Za-z][A-Za-z0-9_]*`, at the start of `text`.
fn name_length(text: &str) -> usize {
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return 0;
    }
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// How far a wildcard may reach from `start`.
fn reach(token: &Token, subject: &str, start: usize) -> usize {
    let rest = &subject[start..];
    match token {
        Token::Name { in_host: true, .. } => rest.find(['/', '.']).unwrap_or(rest.len()),
        Token::Name { in_host: false, .. } => rest.find('/').unwrap_or(rest.len()),
        Token::Splat => rest.len(),
        Token::Literal(literal) => literal.len(),
    }
}

enum Attempt {
    Found,
    Failed,
    GaveUp,
}

/// Greedy matching with backtracking; `ends` holds where each token matched so far ends.
struct Search<'s> {
    tokens: &'s [Token],
    subject: &'s str,
    ends: Vec<usize>,
    steps_left: usize,
}

impl Search<'_> {
    fn run(&mut self, token_at: usize, start: usize) -> Attempt {
        let Some(token) = self.tokens.get(token_at) else {
            return if start == self.subject.len() { Attempt::Found } else { Attempt::Failed };
        };
        let end = start + reach(token, self.subject, start);
        match token {
            Token::Literal(literal) if self.subject[start..].starts_with(&**literal) => {
                self.step(token_at, end)
            }
            Token::Literal(_) => Attempt::Failed,
            Token::Splat => self.try_ends(token_at, start, end),
            Token::Name { .. } => self.try_ends(token_at, start + 1, end),
        }
    }

    fn try_ends(&mut self, token_at: usize, first: usize, last: usize) -> Attempt {
        if token_at + 1 == self.tokens.len() {
            // The last token has to reach the end; no shorter end can do better.
            return if first <= last { self.step(token_at, last) } else { Attempt::Failed };
        }
        for end in (first..=last).rev().filter(|end| self.subject.is_char_boundary(*end)) {
            match self.step(token_at, end) {
                Attempt::Failed => {}
                decided => return decided,
            }
        }
        Attempt::Failed
    }

    fn step(&mut self, token_at: usize, end: usize) -> Attempt {
        let Some(left) = self.steps_left.checked_sub(1) else { return Attempt::GaveUp };
        self.steps_left = left;
        self.ends.push(end);
        let attempt = self.run(token_at + 1, end);
        if !matches!(attempt, Attempt::Found) {
            self.ends.pop();
        }
        attempt
    }
}

#[cfg(test)]
mod tests;

//! Applying header rules to an answer (Cloudflare Pages serving rules, "`_headers` at run time").

use std::borrow::Cow;
use std::collections::HashMap;

use super::ParsedHeaders;
use crate::rules::pattern::{Captures, Pattern};

/// The header rules of a site, compiled.
///
/// Header names are numbered, so that the server can prepare its own form of each name once:
/// [`HeaderRules::names`] lists them, a change carries the number. The same goes for the values that
/// need no substitution.
#[derive(Clone, Debug, Default)]
pub struct HeaderRules {
    names: Vec<Box<str>>,
    settings: Vec<SetHeader>,
    rules: Vec<CompiledRule>,
    any_host: bool,
}

/// One header that some rule sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetHeader {
    /// Number of the header name.
    pub name: usize,
    /// The value, perhaps with placeholders.
    pub value: Box<str>,
    /// True if the value may need substitution.
    pub has_placeholder: bool,
}

#[derive(Clone, Debug)]
struct CompiledRule {
    pattern: Pattern,
    unset: Box<[usize]>,
    /// Which of the settings are this rule's.
    settings: std::ops::Range<usize>,
}

/// A value to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValueRef {
    /// The value of the setting with this number, as it is.
    Literal(usize),
    /// A value made for this request.
    Substituted(String),
}

/// What to do to a header. Names are numbers, see [`HeaderRules::names`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderAction {
    /// Delete it, whatever put it there.
    Remove,
    /// Set it, replacing whatever was there.
    Replace(HeaderValueRef),
    /// Add the value to the present one, after `, `; set it if there is none.
    Append(HeaderValueRef),
    /// Add a line of its own (`set-cookie`).
    AppendLine(HeaderValueRef),
}

impl HeaderRules {
    /// Merges blocks with the same path and compiles them; rules that Pages drops at run time are left out.
    pub fn compile(parsed: &ParsedHeaders) -> Self {
        let mut compiled = Self::default();
        let mut numbers = HashMap::new();
        for rule in parsed.effective() {
            let Some(pattern) = Pattern::compile(&rule.path) else { continue };
            compiled.any_host |= pattern.has_host();
            let names = &mut compiled.names;
            let mut number_of = |name: &str| {
                *numbers.entry(name.to_owned()).or_insert_with(|| {
                    names.push(name.into());
                    names.len() - 1
                })
            };
            let unset = rule.unset.iter().map(|name| number_of(&name.to_lowercase())).collect();
            let first = compiled.settings.len();
            for (name, value) in &rule.set {
                let name = number_of(name);
                let has_placeholder = value.contains(':');
                compiled.settings.push(SetHeader { name, value: value.as_str().into(), has_placeholder });
            }
            compiled.rules.push(CompiledRule { pattern, unset, settings: first..compiled.settings.len() });
        }
        compiled
    }

    /// True if there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The header names, lower case, by number. They may not be valid HTTP names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The settings by number.
    pub fn settings(&self) -> &[SetHeader] {
        &self.settings
    }

    /// Calls `change` for everything the rules do to an answer, in order.
    ///
    /// `host` is the request's host name in lower case without the port, `path` its encoded path as
    /// requested: not rewritten, not decoded. A header that was set before during this request is
    /// appended to from then on, also if a removal came between. Values that would have to be made when
    /// [`SUBSTITUTION_WORK_MAX`] is used up are left out.
    pub fn for_each_change(&self, host: &str, path: &str, mut change: impl FnMut(usize, HeaderAction)) {
        if self.rules.is_empty() {
            return;
        }
        let host_and_path =
            if self.any_host { Cow::Owned(format!("{host}{path}")) } else { Cow::Borrowed("") };
        let mut seen = NameSet::default();
        let mut work_left = SUBSTITUTION_WORK_MAX;
        for rule in &self.rules {
            let subject = if rule.pattern.has_host() { &*host_and_path } else { path };
            let Some(captures) = rule.pattern.matches(subject) else { continue };
            for &name in &rule.unset {
                change(name, HeaderAction::Remove);
            }
            for number in rule.settings.clone() {
                let setting = &self.settings[number];
                let Some(value) = setting.value_for(number, &captures, &mut work_left) else { continue };
                let action = if !seen.insert(setting.name) {
                    HeaderAction::Replace(value)
                } else if &*self.names[setting.name] == "set-cookie" {
                    HeaderAction::AppendLine(value)
                } else {
                    HeaderAction::Append(value)
                };
                change(setting.name, action);
            }
        }
    }
}

impl SetHeader {
    /// `None` if there is no work left to be spent on making it.
    fn value_for(
        &self,
        number: usize,
        captures: &Captures<'_, '_>,
        work_left: &mut usize,
    ) -> Option<HeaderValueRef> {
        let names = captures.iter().count();
        if !self.has_placeholder || names == 0 {
            return Some(HeaderValueRef::Literal(number));
        }
        *work_left = work_left.checked_sub(names * self.value.len())?;
        let value = captures.substitute(&self.value);
        *work_left = work_left.saturating_sub(value.len());
        Some(HeaderValueRef::Substituted(value))
    }
}

/// What one answer may spend on substitution: bytes searched for placeholders and bytes made. A hundred
/// times what an honest file needs; without it a hostile one could make hundreds of megabytes of headers.
pub const SUBSTITUTION_WORK_MAX: usize = 1 << 20;

/// A set of bits. Numbers below 64, which is nearly all of them, cost no allocation.
#[derive(Default)]
struct NameSet {
    low: u64,
    high: Vec<u64>,
}

impl NameSet {
    /// Adds a number; true if it was there already.
    fn insert(&mut self, number: usize) -> bool {
        let word = match (number / 64).checked_sub(1) {
            None => &mut self.low,
            Some(at) => {
                if at >= self.high.len() {
                    self.high.resize(at + 1, 0);
                }
                &mut self.high[at]
            }
        };
        let bit = 1 << (number % 64);
        let known = *word & bit != 0;
        *word |= bit;
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::headers::parse;

    /// Applies a file to an answer that has `a: default` and says what comes out.
    fn headers(file: &str, host: &str, path: &str) -> Vec<(String, String)> {
        let rules = HeaderRules::compile(&parse(file));
        let names: Vec<&str> = rules.names().collect();
        let mut out = vec![("a".to_owned(), "default".to_owned())];
        rules.for_each_change(host, path, |name, action| {
            let name = names[name].to_owned();
            let text = |value: HeaderValueRef| match value {
                HeaderValueRef::Literal(number) => rules.settings()[number].value.to_string(),
                HeaderValueRef::Substituted(text) => text,
            };
            match action {
                HeaderAction::Remove => out.retain(|(known, _)| *known != name),
                HeaderAction::Replace(value) => {
                    out.retain(|(known, _)| *known != name);
                    out.push((name, text(value)));
                }
                HeaderAction::Append(value) => match out.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, present)) => *present = format!("{present}, {}", text(value)),
                    None => out.push((name, text(value))),
                },
                HeaderAction::AppendLine(value) => out.push((name, text(value))),
            }
        });
        out
    }

    fn one(file: &str, path: &str) -> String {
        let out = headers(file, "h.example", path);
        out.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn the_first_setting_replaces_and_later_ones_append() {
        assert_eq!(one("/*\n A: 1\n/x\n A: 2", "/x"), "a=1, 2");
        assert_eq!(one("/*\n A: 1\n/x\n A: 2", "/y"), "a=1");
        assert_eq!(one("/*\n B: 1\n/y\n B: 2", "/x"), "a=default; b=1");
    }

    #[test]
    fn removals_go_first_and_do_not_forget_what_was_set() {
        assert_eq!(one("/*\n ! A", "/x"), "");
        assert_eq!(one("/*\n A: 1\n ! A", "/x"), "a=1");
        assert_eq!(one("/*\n A: 1\n/x*\n ! A\n/x\n A: 3", "/x"), "a=3");
    }

    #[test]
    fn cookies_of_different_rules_keep_their_own_lines() {
        let file = "/*\n ! A\n Set-Cookie: a=1\n Set-Cookie: b=2\n/x\n Set-Cookie: c=3";
        assert_eq!(one(file, "/x"), "set-cookie=a=1, b=2; set-cookie=c=3");
    }

    #[test]
    fn many_names_are_told_apart() {
        let lines: String = (0..200).map(|at| format!(" h{at}: 1\n")).collect();
        let out = headers(&format!("/*\n{lines}/x\n{lines}"), "h.example", "/x");
        assert_eq!(out.len(), 201);
        assert!(out[1..].iter().all(|(_, value)| value == "1, 1"));
    }

    #[test]
    fn hostile_substitution_comes_to_an_end() {
        let line = |at: usize| format!(" h{at}: {}\n", ":splat".repeat(300));
        let file = format!("/*\n{} last: here\n", (0..100).map(line).collect::<String>());
        let out = headers(&file, "h.example", &format!("/{}", "x".repeat(8000)));
        let bytes: usize = out.iter().map(|(_, value)| value.len()).sum();
        assert!((1 << 20..2 << 20).contains(&bytes), "{bytes}");
        assert_eq!(out.last().unwrap().1, "here");
    }

    #[test]
    fn hosts_and_placeholders_are_matched_and_filled_in() {
        let file = "https://:sub.h.example/*\n A: :sub/:splat";
        assert_eq!(headers(file, "x.h.example", "/p/q")[0].1, "x/p/q");
        assert_eq!(headers(file, "h.example", "/p/q")[0].1, "default");
    }
}

//! Applying header rules to an answer (Cloudflare Pages serving rules, "`_headers` at run time").

use std::borrow::Cow;

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
        for rule in parsed.effective() {
            let Some(pattern) = Pattern::compile(&rule.path) else { continue };
            compiled.any_host |= pattern.has_host();
            let unset = rule.unset.iter().map(|name| compiled.name_number(&name.to_lowercase())).collect();
            let first = compiled.settings.len();
            for (name, value) in &rule.set {
                let name = compiled.name_number(name);
                let has_placeholder = value.contains(':');
                compiled.settings.push(SetHeader { name, value: value.as_str().into(), has_placeholder });
            }
            compiled.rules.push(CompiledRule { pattern, unset, settings: first..compiled.settings.len() });
        }
        compiled
    }

    fn name_number(&mut self, name: &str) -> usize {
        self.names.iter().position(|known| **known == *name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        })
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
    /// appended to from then on, also if a removal came between.
    pub fn for_each_change(&self, host: &str, path: &str, mut change: impl FnMut(usize, HeaderAction)) {
        if self.rules.is_empty() {
            return;
        }
        let host_and_path =
            if self.any_host { Cow::Owned(format!("{host}{path}")) } else { Cow::Borrowed("") };
        let mut seen = NameSet::default();
        for rule in &self.rules {
            let subject = if rule.pattern.has_host() { &*host_and_path } else { path };
            let Some(captures) = rule.pattern.matches(subject) else { continue };
            for &name in &rule.unset {
                change(name, HeaderAction::Remove);
            }
            for number in rule.settings.clone() {
                let setting = &self.settings[number];
                let value = setting.value_for(number, &captures);
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
    fn value_for(&self, number: usize, captures: &Captures<'_, '_>) -> HeaderValueRef {
        if self.has_placeholder && captures.iter().next().is_some() {
            HeaderValueRef::Substituted(captures.substitute(&self.value))
        } else {
            HeaderValueRef::Literal(number)
        }
    }
}

/// Numbers below 64, which is nearly all of them, cost no allocation.
#[derive(Default)]
struct NameSet {
    low: u64,
    high: Vec<usize>,
}

impl NameSet {
    /// Adds a number; true if it was there already.
    fn insert(&mut self, number: usize) -> bool {
        if number < 64 {
            let bit = 1 << number;
            let known = self.low & bit != 0;
            self.low |= bit;
            return known;
        }
        let known = self.high.contains(&number);
        if !known {
            self.high.push(number);
        }
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
    fn hosts_and_placeholders_are_matched_and_filled_in() {
        let file = "https://:sub.h.example/*\n A: :sub/:splat";
        assert_eq!(headers(file, "x.h.example", "/p/q")[0].1, "x/p/q");
        assert_eq!(headers(file, "h.example", "/p/q")[0].1, "default");
    }
}

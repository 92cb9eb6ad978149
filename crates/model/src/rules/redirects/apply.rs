//! Answering a request with redirect rules (Cloudflare Pages serving rules, "Redirect rules at run time").

use std::borrow::Cow;

use url::Url;

use super::{RedirectRule, RedirectStatus};
use crate::request_path::RequestUrl;
use crate::rules::line::{is_blank, split_absolute};
use crate::rules::pattern::{Captures, Pattern, is_dynamic};

/// The redirect rules of a site, compiled.
#[derive(Clone, Debug, Default)]
pub struct Redirects {
    /// Plain rules before the first dynamic one, sorted by source.
    fixed: Box<[(Box<str>, Target)]>,
    /// All others, in file order.
    ordered: Box<[(Pattern, Target)]>,
}

/// What a redirect rule wants done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectAction {
    /// Go on with this (encoded) path; rules are not applied again.
    Rewrite(String),
    /// Answer with this status and `Location`.
    Redirect {
        /// Never [`RedirectStatus::Rewrite`].
        status: RedirectStatus,
        /// A path for a target on the same origin, else an absolute URL. Never begins with `//`.
        location: String,
    },
}

/// The substituted target of a rule is not a URL; Pages answers this with an internal error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the target of the redirect rule is not a URL")]
pub struct UnusableTarget;

#[derive(Clone, Debug)]
struct Target {
    text: Box<str>,
    status: RedirectStatus,
    /// Written as `https://…` or `//host…`: its slashes are meant.
    external: bool,
}

impl Redirects {
    /// Compiles rules; the ones which Pages drops silently at run time are left out.
    pub fn compile(rules: &[RedirectRule]) -> Self {
        let first_dynamic = rules.iter().position(|rule| is_dynamic(&rule.from)).unwrap_or(rules.len());
        let (fixed, ordered) = rules.split_at(first_dynamic);
        let mut fixed: Vec<_> =
            fixed.iter().map(|rule| (rule.from.as_str().into(), Target::new(rule))).collect();
        fixed.sort_unstable_by(|left: &(Box<str>, Target), right| left.0.cmp(&right.0));
        let ordered = ordered
            .iter()
            .filter_map(|rule| Some((Pattern::compile(&rule.from)?, Target::new(rule))))
            .collect();
        Self { fixed: fixed.into_boxed_slice(), ordered }
    }

    /// True if there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.ordered.is_empty()
    }

    /// Sources of the plain rules that are looked up directly, sorted.
    pub fn fixed_sources(&self) -> impl Iterator<Item = &str> {
        self.fixed.iter().map(|(source, _)| &**source)
    }

    /// Finds what the rules say about a request, if anything.
    pub fn find(&self, url: &RequestUrl<'_>) -> Option<Result<RedirectAction, UnusableTarget>> {
        if let Ok(at) = self.fixed.binary_search_by(|(source, _)| (**source).cmp(url.path)) {
            let target = &self.fixed[at].1;
            return Some(target.act(Cow::Borrowed(&target.text), url));
        }
        self.ordered.iter().find_map(|(pattern, target)| {
            let captures = pattern.matches(url.path)?;
            Some(target.act(Cow::Owned(target.fill_in(&captures)), url))
        })
    }
}

impl Target {
    fn new(rule: &RedirectRule) -> Self {
        let external = split_absolute(&rule.to).is_some() || rule.to.starts_with("//");
        Self { text: rule.to.as_str().into(), status: rule.status, external }
    }

    /// Substitutes what was captured and, for targets on the site, keeps the result on the site.
    fn fill_in(&self, captures: &Captures<'_, '_>) -> String {
        let filled = captures.substitute(&self.text);
        let filled = filled.trim_matches(is_blank);
        if self.external { filled.to_owned() } else { collapse_slashes(filled) }
    }

    fn act(&self, text: Cow<'_, str>, url: &RequestUrl<'_>) -> Result<RedirectAction, UnusableTarget> {
        let base = url.to_url().ok_or(UnusableTarget)?;
        let target = base.join(&text).map_err(|_| UnusableTarget)?;
        if self.status == RedirectStatus::Rewrite {
            return Ok(RedirectAction::Rewrite(target.path().to_owned()));
        }
        Ok(RedirectAction::Redirect { status: self.status, location: location(target, &base, url.search) })
    }
}

/// Makes one `/` of each run of slashes and backslashes before the query or fragment.
fn collapse_slashes(target: &str) -> String {
    let path_end = target.find(['?', '#']).unwrap_or(target.len());
    let mut collapsed = String::with_capacity(target.len());
    for character in target[..path_end].chars() {
        match character {
            '/' | '\\' if collapsed.ends_with('/') => {}
            '/' | '\\' => collapsed.push('/'),
            other => collapsed.push(other),
        }
    }
    collapsed.push_str(&target[path_end..]);
    collapsed
}

/// The query is the target's own or else the request's, never both; the fragment follows it.
fn location(mut target: Url, base: &Url, search: &str) -> String {
    if target.query().is_none_or(str::is_empty) {
        target.set_query(search.strip_prefix('?'));
    }
    if target.fragment().is_some_and(str::is_empty) {
        target.set_fragment(None);
    }
    // A path that begins with `//` would be read as a host: `https://this.site//evil.example/` is sent whole.
    if target.origin() == base.origin() && !target.path().starts_with("//") {
        target[url::Position::BeforePath..].to_owned()
    } else {
        target.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_path::Scheme;
    use crate::rules::redirects::parse;

    fn answer(file: &str, request: &str) -> String {
        let redirects = Redirects::compile(&parse(file).rules);
        let (path, search) = request.split_at(request.find('?').unwrap_or(request.len()));
        let url = RequestUrl {
            scheme: Scheme::Https,
            authority: "site.example",
            host: "site.example",
            path,
            search,
        };
        match redirects.find(&url) {
            None => "none".to_owned(),
            Some(Err(UnusableTarget)) => "error".to_owned(),
            Some(Ok(RedirectAction::Rewrite(path))) => format!("200 {path}"),
            Some(Ok(RedirectAction::Redirect { status, location })) => {
                format!("{} {location}", status.code())
            }
        }
    }

    #[test]
    fn rules_answer_as_pages_does() {
        for (file, request, expected) in [
            ("/a /b", "/a", "302 /b"),
            ("/a /b", "/a/", "none"),
            ("/a /b#f 301", "/a?x=1", "301 /b?x=1#f"),
            ("/a /b?y=2", "/a?x=1", "302 /b?y=2"),
            ("/a https://O.example:443", "/a?x=1", "302 https://o.example/?x=1"),
            ("/a https://site.example/z", "/a", "302 /z"),
            ("/a https://site.example:8443/z", "/a", "302 https://site.example:8443/z"),
            ("/a //other.example/x", "/a", "302 https://other.example/x"),
            ("/a /x//y", "/a", "302 /x//y"),
            ("/a /\\other.example/x", "/a", "302 https://other.example/x"),
            ("/a /.\\/\\other.example", "/a", "302 https://site.example///other.example"),
            ("/u/* https://site.example/:splat", "/u/x", "302 /x"),
            (
                "/u/* https://site.example/:splat",
                "/u//evil.example",
                "302 https://site.example//evil.example",
            ),
            ("/u/* /:splat", "/u//evil.example", "302 /evil.example"),
            ("/u/* /:splat", "/u/\\evil.example", "302 /evil.example"),
            ("/e/* https://o.example/b/:splat", "/e/a//b?q", "302 https://o.example/b/a//b?q"),
            ("/a /b?c=1#d 200", "/a?x=1", "200 /b"),
            ("/* /app 200", "/anything", "200 /app"),
            ("/d/* /e\n/c /f", "/c", "302 /f"),
            ("/*/* /gone\n/x /y", "/x", "302 /y"),
            ("/h/:host https://:host/", "/h/[", "error"),
        ] {
            assert_eq!(answer(file, request), expected, "{file} for {request}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_target_on_the_site_stays_on_the_site(path in "/u/[/\\\\a.%$&'`]{0,12}") {
            let answer = answer("/u/* /:splat\n", &path);
            proptest::prop_assert!(answer == "none" || answer.starts_with("302 /"), "{}", answer);
            proptest::prop_assert!(!answer.starts_with("302 //"), "{}", answer);
        }
    }
}

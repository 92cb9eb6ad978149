//! `_routes.json`: which requests reach a site's Worker.
//!
//! Cloudflare Pages serving rules, "Functions, advanced mode, `_routes.json`". Reading JSON is the
//! business of others; here arrives a value, and leaves one that is known to be valid.

/// A `_routes.json` as it was written, taken apart but not yet checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutesSpec {
    /// Has to be 1.
    pub version: u64,
    /// Paths that reach the Worker.
    pub include: Vec<String>,
    /// Paths that do not, even if they are included.
    pub exclude: Vec<String>,
}

/// Rules in both lists together.
pub const ROUTE_RULES_MAX: usize = 100;
/// Characters in one rule, in UTF-16 units.
pub const ROUTE_RULE_LENGTH_MAX: usize = 100;

/// Why a `_routes.json` fails its deployment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutesError {
    /// Not an object with version 1 and two lists of strings.
    #[error("the file must hold an object with \"version\": 1 and the lists \"include\" and \"exclude\"")]
    InvalidSchema,
    /// The list `include` is empty.
    #[error("there must be at least one include rule")]
    NoInclude,
    /// More than [`ROUTE_RULES_MAX`] rules.
    #[error("there are more than {ROUTE_RULES_MAX} rules in \"include\" and \"exclude\" together")]
    TooManyRules,
    /// A rule is longer than [`ROUTE_RULE_LENGTH_MAX`].
    #[error("the rule {rule:?} is longer than {ROUTE_RULE_LENGTH_MAX} characters")]
    RuleTooLong {
        /// The rule as written.
        rule: String,
    },
    /// A rule does not begin with `/`.
    #[error("the rule {rule:?} does not begin with /")]
    MissingLeadingSlash {
        /// The rule as written.
        rule: String,
    },
    /// A rule of a list covers another of the same list.
    #[error("the rule {wide:?} already covers {covered:?}")]
    OverlappingRules {
        /// The rule that ends in `/*`.
        wide: String,
        /// The rule that it makes superfluous.
        covered: String,
    },
}

/// Valid routing rules, ready to match.
#[derive(Clone, Debug)]
pub struct Routes {
    include: Box<[RouteRule]>,
    exclude: Box<[RouteRule]>,
}

impl Routes {
    /// Checks the rules, in the order in which Pages reports errors, and compiles them.
    pub fn compile(spec: &RoutesSpec) -> Result<Self, RoutesError> {
        validate(spec)?;
        let compile = |rules: &[String]| rules.iter().map(|rule| RouteRule::compile(rule)).collect();
        Ok(Self { include: compile(&spec.include), exclude: compile(&spec.exclude) })
    }

    /// True if a request for this encoded path goes to the Worker.
    pub fn reaches_worker(&self, path: &str) -> bool {
        !self.exclude.iter().any(|rule| rule.matches(path))
            && self.include.iter().any(|rule| rule.matches(path))
    }
}

fn validate(spec: &RoutesSpec) -> Result<(), RoutesError> {
    if spec.version != 1 {
        return Err(RoutesError::InvalidSchema);
    }
    if spec.include.is_empty() {
        return Err(RoutesError::NoInclude);
    }
    if spec.include.len() + spec.exclude.len() > ROUTE_RULES_MAX {
        return Err(RoutesError::TooManyRules);
    }
    let mut rules = spec.include.iter().chain(&spec.exclude);
    if let Some(rule) = rules.clone().find(|rule| rule.encode_utf16().count() > ROUTE_RULE_LENGTH_MAX) {
        return Err(RoutesError::RuleTooLong { rule: rule.clone() });
    }
    if let Some(rule) = rules.find(|rule| !rule.starts_with('/')) {
        return Err(RoutesError::MissingLeadingSlash { rule: rule.clone() });
    }
    refuse_overlap(&spec.include)?;
    refuse_overlap(&spec.exclude)
}

fn refuse_overlap(rules: &[String]) -> Result<(), RoutesError> {
    for wide in rules.iter().filter(|rule| rule.ends_with("/*")) {
        let prefix = &wide[..wide.len() - 1];
        if let Some(covered) = rules.iter().find(|rule| *rule != wide && rule.starts_with(prefix)) {
            return Err(RoutesError::OverlappingRules { wide: wide.clone(), covered: covered.clone() });
        }
    }
    Ok(())
}

/// One rule of `_routes.json`; `*` stands for any characters, slashes included.
#[derive(Clone, Debug)]
pub struct RouteRule {
    glob: Glob,
    tail: Tail,
}

/// What may follow the rule's own text without being asked for.
#[derive(Clone, Debug)]
enum Tail {
    Nothing,
    /// `/foo` and `/foo/` are the same rule and match both.
    Slash,
    /// `/foo/*` matches `/foo` too: the glob is `/foo`, and this is the rule as written.
    Anything(Glob),
}

impl RouteRule {
    /// Compiles a rule; any text is a rule.
    pub fn compile(rule: &str) -> Self {
        let (base, tail) = if rule == "/" || rule == "/*" {
            (rule, Tail::Nothing)
        } else if let Some(base) = rule.strip_suffix("/*") {
            (base, Tail::Anything(Glob::new(rule)))
        } else if let Some(base) = rule.strip_suffix('/') {
            (base, Tail::Slash)
        } else if rule.ends_with('*') {
            (rule, Tail::Nothing)
        } else {
            (rule, Tail::Slash)
        };
        Self { glob: Glob::new(base), tail }
    }

    /// Matches an encoded path.
    pub fn matches(&self, path: &str) -> bool {
        self.glob.matches(path)
            || match &self.tail {
                Tail::Nothing => false,
                Tail::Slash => path.strip_suffix('/').is_some_and(|path| self.glob.matches(path)),
                Tail::Anything(whole) => whole.matches(path),
            }
    }
}

/// Literals with stars between them, anchored at both ends.
#[derive(Clone, Debug)]
struct Glob(Box<[Box<str>]>);

impl Glob {
    fn new(text: &str) -> Self {
        Self(text.split('*').map(Into::into).collect())
    }

    /// A piece between two stars may be taken where it first occurs, so one pass is enough.
    fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.0.split_first() else { return text.is_empty() };
        let Some(mut rest) = text.strip_prefix(&**first) else { return false };
        let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
        for piece in middle {
            let Some(at) = rest.find(&**piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(&**last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(include: &[&str], exclude: &[&str]) -> RoutesSpec {
        let owned = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect();
        RoutesSpec { version: 1, include: owned(include), exclude: owned(exclude) }
    }

    #[test]
    fn exclusion_comes_first() {
        let routes = Routes::compile(&spec(&["/*"], &["/static/*", "/*.png"])).unwrap();
        assert!(routes.reaches_worker("/"));
        assert!(routes.reaches_worker("/api/x"));
        assert!(!routes.reaches_worker("/static"));
        assert!(!routes.reaches_worker("/a/b.png"));
    }

    #[test]
    fn errors_are_reported_in_order() {
        let long = "x".repeat(200);
        assert_eq!(Routes::compile(&spec(&[], &[&long])).unwrap_err(), RoutesError::NoInclude);
        assert!(matches!(
            Routes::compile(&spec(&["/a/*", "/a/b", &long], &[])).unwrap_err(),
            RoutesError::RuleTooLong { .. }
        ));
    }

    proptest::proptest! {
        #[test]
        fn any_rule_matches_without_panicking(rule in "([/*a.]|\\PC){0,30}", path in "([/a.]|\\PC){0,30}") {
            RouteRule::compile(&rule).matches(&path);
        }
    }
}

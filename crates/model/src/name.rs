//! Names that are parsed once and believed afterwards.

use std::fmt;

/// Why a name was refused. The text names the rule, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(pub &'static str);

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// A project's name, which is also its host label: 1 to 58 of `a-z0-9-`, no dash at either end.
    ProjectName;
    /// A git branch: 1 to 255 bytes, no control characters.
    BranchName;
    /// The host label of a branch, made by [`BranchName::alias`].
    AliasLabel;
    /// A fully qualified host name in lower case, without port or final dot.
    Hostname;
}

impl ProjectName {
    /// Checks a project name (the dashboard's rule; the API's own pattern is `^[a-z0-9][a-z0-9-]*$`).
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > 58 {
            return Err(InvalidName("a project name has 1 to 58 characters"));
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(InvalidName("a project name holds only lower-case letters, digits and dashes"));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(InvalidName("a project name neither begins nor ends with a dash"));
        }
        Ok(Self(text.into()))
    }
}

impl BranchName {
    /// Checks a branch name as a client typed it.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > 255 {
            return Err(InvalidName("a branch name has 1 to 255 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidName("a branch name holds no control characters"));
        }
        Ok(Self(text.into()))
    }

    /// The host label of the branch, by Cloudflare's rule: lower case, everything outside `a-z0-9-` a dash,
    /// dashes at the ends removed, cut to 28 characters. `None` when nothing remains: the caller then
    /// uses [`AliasLabel::nameless`].
    pub fn alias(&self) -> Option<AliasLabel> {
        let dashed: String = self
            .0
            .chars()
            .flat_map(char::to_lowercase)
            .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
            .collect();
        let label = dashed.trim_matches('-');
        let label = &label[..label.len().min(28)];
        (!label.is_empty()).then(|| AliasLabel(label.into()))
    }
}

impl AliasLabel {
    /// The label of a branch that has no letter or digit: `branch-` and ten characters of the caller's choice.
    pub fn nameless(random: &str) -> Self {
        Self(format!("branch-{random}").into())
    }

    /// A label as it was stored.
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }
}

impl Hostname {
    /// Checks a custom domain: dot-separated labels of letters, digits and dashes, the last of 2 to 20
    /// characters (the pattern of the Pages API), 253 bytes at the most. Upper case is folded.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let lower = text.to_ascii_lowercase();
        let labels: Vec<&str> = lower.split('.').collect();
        if lower.len() > 253 || labels.len() < 2 {
            return Err(InvalidName("a domain has at least two labels and 253 bytes at the most"));
        }
        let legal = |label: &&str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !labels.iter().all(legal) {
            return Err(InvalidName(
                "a domain's labels hold 1 to 63 letters, digits and dashes, and no wildcard",
            ));
        }
        let last = labels[labels.len() - 1];
        if !(2..=20).contains(&last.len()) {
            return Err(InvalidName("a domain's last label has 2 to 20 characters"));
        }
        Ok(Self(lower.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_names_are_host_labels() {
        for good in ["a", "my-site", "0x", &"a".repeat(58)] {
            assert!(ProjectName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ä", &"a".repeat(59)] {
            assert!(ProjectName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn branches_become_labels_by_cloudflares_rule() {
        let label = |branch| BranchName::parse(branch).unwrap().alias().map(|l| l.to_string());
        assert_eq!(label("feat/x"), Some("feat-x".into()));
        assert_eq!(label("Fix__It"), Some("fix--it".into()));
        assert_eq!(label("/ö/"), None);
        assert_eq!(label(&"b".repeat(40)), Some("b".repeat(28)));
    }

    #[test]
    fn domains_need_two_labels_and_no_wildcard() {
        assert_eq!(Hostname::parse("WWW.Example.com").unwrap().as_str(), "www.example.com");
        for bad in ["", "localhost", "*.example.com", "a..b", "a.b", "-a.com", "a_b.com"] {
            assert!(Hostname::parse(bad).is_err(), "{bad}");
        }
    }
}

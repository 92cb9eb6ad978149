//! Resources: what bindings of Functions lead to, and what they are called.
//!
//! A resource belongs to an account, and any project of the account may be bound to it. Its id and its name are
//! texts of clients: a KV namespace and a D1 database are bound by their ids, an R2 bucket by its name.

use crate::config::BindingKind;
use crate::name::InvalidName;

/// The kinds of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A KV namespace.
    Kv,
    /// A D1 database.
    D1,
    /// An R2 bucket.
    R2,
}

impl ResourceKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Kv, Self::D1, Self::R2];

    /// The name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::D1 => "d1",
            Self::R2 => "r2",
        }
    }

    /// The kind to which bindings of a kind lead; `None` where they lead to something else.
    pub const fn of_binding(kind: BindingKind) -> Option<Self> {
        match kind {
            BindingKind::Kv => Some(Self::Kv),
            BindingKind::D1 => Some(Self::D1),
            BindingKind::R2 => Some(Self::R2),
            _ => None,
        }
    }
}

/// What a resource is called. Unique among those of its kind in an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceName(Box<str>);

impl ResourceName {
    /// Checks a name by the rule of its kind: the title of a namespace has 1 to 512 bytes without control
    /// characters, a database's name 1 to 64 of `a-zA-Z0-9_-`, a bucket's 3 to 63 of `a-z0-9-` without a dash at
    /// either end.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(kind: ResourceKind, text: &str) -> Result<Self, InvalidName> {
        let rule = match kind {
            ResourceKind::Kv => title(text),
            ResourceKind::D1 => database_name(text),
            ResourceKind::R2 => bucket_name(text),
        };
        rule.map(|()| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ResourceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn title(text: &str) -> Result<(), InvalidName> {
    let legal = (1..=512).contains(&text.len()) && !text.chars().any(char::is_control);
    legal.then_some(()).ok_or(InvalidName("a title has 1 to 512 bytes and no control characters"))
}

fn database_name(text: &str) -> Result<(), InvalidName> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let legal = (1..=64).contains(&text.len()) && text.bytes().all(legal);
    legal
        .then_some(())
        .ok_or(InvalidName("a database name has 1 to 64 letters, digits, dashes and underscores"))
}

fn bucket_name(text: &str) -> Result<(), InvalidName> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let dashed = text.starts_with('-') || text.ends_with('-');
    let legal = (3..=63).contains(&text.len()) && text.bytes().all(legal) && !dashed;
    legal.then_some(()).ok_or(InvalidName(
        "a bucket name has 3 to 63 lower-case letters, digits and dashes, and no dash at either end",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_of_their_kind() {
        use ResourceKind::{D1, Kv, R2};
        let long = "a".repeat(600);
        for (kind, text, legal) in [
            (Kv, "My title, ünïcode", true),
            (Kv, "", false),
            (Kv, "a\nb", false),
            (Kv, &long[..512], true),
            (Kv, &long[..513], false),
            (D1, "my-db_1", true),
            (D1, "", false),
            (D1, "my db", false),
            (D1, "../x", false),
            (D1, &long[..64], true),
            (D1, &long[..65], false),
            (R2, "my-bucket", true),
            (R2, "ab", false),
            (R2, "-ab", false),
            (R2, "ab-", false),
            (R2, "Abc", false),
            (R2, "a.b", false),
            (R2, &long[..63], true),
            (R2, &long[..64], false),
        ] {
            assert_eq!(ResourceName::parse(kind, text).is_ok(), legal, "{kind:?} {text}");
        }
    }
}

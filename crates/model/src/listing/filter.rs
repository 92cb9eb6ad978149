//! Filters: a tree of tests.
//!
//! Null is a value like any other: it equals nothing but itself, so `ne` and `notIn` hold for it, and it is neither
//! greater nor less than anything. That is what people mean, and not what SQL does by itself.

use super::{Entity, Field, Kind, Relation, Value};

/// Levels of a filter, the outermost included.
pub const DEPTH_MAX: usize = 8;
/// Connectives, tests and relations of a filter in all.
pub const NODES_MAX: usize = 100;
/// Values of one `in`.
pub const VALUES_MAX: usize = 500;
/// Values of all the `in` of a filter together: a statement takes some tens of thousands.
pub const ALL_VALUES_MAX: usize = 5000;
/// Characters of a pattern.
pub const PATTERN_CHARS_MAX: usize = 200;

/// A condition on an entity.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them hold; with none, it holds.
    All(Vec<Self>),
    /// One of them holds; with none, it does not.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A field passes a test.
    Field(&'static Field, Test),
    /// Something holds for what is related.
    Related(&'static Relation, Quantifier, Box<Self>),
}

/// For how many of the related a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// One at least; what is meant where a relation leads to one.
    Some,
    /// None.
    None,
    /// All; also where there is none.
    Every,
}

/// A test of one field. Its values are of the field's kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The same.
    Eq(Value),
    /// Not the same, or absent.
    Ne(Value),
    /// Greater.
    Gt(Value),
    /// Greater or the same.
    Gte(Value),
    /// Less.
    Lt(Value),
    /// Less or the same.
    Lte(Value),
    /// One of these.
    In(Vec<Value>),
    /// None of these, or absent.
    NotIn(Vec<Value>),
    /// Like a pattern.
    Like(LikePattern),
    /// Not like a pattern, or absent.
    NotLike(LikePattern),
    /// Absent.
    IsNull,
    /// There.
    IsNotNull,
}

/// A pattern: `%` is any text, `_` any character, a backslash takes the next one as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LikePattern {
    /// As it was written.
    pub text: String,
    /// Whether `A` to `Z` are the same as `a` to `z`. Other letters always differ.
    pub ignores_case: bool,
}

impl Filter {
    /// Everything passes.
    pub const fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// A field has a value.
    pub fn eq(entity: Entity, name: &str, value: Value) -> Option<Self> {
        entity.field(name).map(|field| Self::Field(field, Test::Eq(value)))
    }
}

impl Kind {
    /// The operators that a filter may use with fields of this kind.
    pub const fn operators(self) -> &'static [&'static str] {
        match self {
            Self::Id | Self::Text => &[
                "eq",
                "ne",
                "gt",
                "gte",
                "lt",
                "lte",
                "in",
                "notIn",
                "like",
                "ilike",
                "notLike",
                "notIlike",
                "isNull",
                "isNotNull",
            ],
            Self::Number | Self::Time => {
                &["eq", "ne", "gt", "gte", "lt", "lte", "in", "notIn", "isNull", "isNotNull"]
            }
            Self::Word(_) => &["eq", "ne", "in", "notIn", "isNull", "isNotNull"],
            Self::Flag => &["eq", "ne", "isNull", "isNotNull"],
            Self::Json => &[],
        }
    }
}

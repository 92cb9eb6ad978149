//! Names that are given to more than one thing. The real service refuses them; here a project may hold some already, so
//! its author is told which of them is there.

use std::collections::{BTreeMap, BTreeSet};

use offprint_model::config::{Binding, BindingKind};

use super::Variable;
use super::bound::title;

/// The binding that every deployment has.
const ASSETS: &str = "ASSETS";

/// A sentence for each name with several meanings.
pub(super) fn ambiguous(
    variables: &BTreeMap<String, Variable>,
    bindings: &BTreeMap<BindingKind, BTreeMap<String, Binding>>,
) -> Vec<String> {
    let named = bindings.iter().flat_map(|(kind, named)| named.keys().map(|name| (name.as_str(), *kind)));
    // In the order in which one takes the place of another.
    let meanings: BTreeSet<(&str, Rank)> = variables
        .keys()
        .map(|name| (name.as_str(), Rank::Variable))
        .chain([(ASSETS, Rank::Assets)])
        .chain(named.map(|(name, kind)| (name, Rank::of(kind))))
        .collect();
    let mut of_names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, rank) in &meanings {
        of_names.entry(name).or_default().push(rank.title());
    }
    let several = of_names.into_iter().filter(|(_, meanings)| meanings.len() > 1);
    let sentence = |(name, meanings): (&str, Vec<&str>)| {
        format!(
            "The name {name} is given to several things ({}): it is the last of them.",
            meanings.join(", ")
        )
    };
    several.map(sentence).collect()
}

/// What takes the place of what comes before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Missing(BindingKind),
    Variable,
    Assets,
    Resource(BindingKind),
    Service,
}

impl Rank {
    const fn of(kind: BindingKind) -> Self {
        match kind {
            BindingKind::Kv | BindingKind::D1 | BindingKind::R2 => Self::Resource(kind),
            BindingKind::Service => Self::Service,
            _ => Self::Missing(kind),
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Missing(kind) | Self::Resource(kind) => title(kind),
            Self::Variable => "variable",
            Self::Assets => "assets of the site",
            Self::Service => title(BindingKind::Service),
        }
    }
}

//! What the Deploys API lists: one typed description of each entity, and the questions one may ask about it.
//!
//! The description says which fields an entity has, of what kind, and how it is related to others. All else follows
//! from it: which filters and orders are legal, the SQL they become, the objects that clients read, and the published
//! description of the API. So a field is written down once. What lost: a struct for each entity and a mapping by
//! hand in each of four places, which would drift apart.

mod entities;
mod filter;
mod order;
mod record;

pub use filter::{
    ALL_VALUES_MAX, DEPTH_MAX, Filter, LikePattern, NODES_MAX, PATTERN_CHARS_MAX, Quantifier, Test,
    VALUES_MAX,
};
pub use order::{Direction, KEYS_MAX, Nulls, Order, OrderKey};
pub use record::{Record, Value};

use std::fmt;

/// Something that is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    /// A tenant; the Pages API calls it an account.
    Workspace,
    /// A site; the Pages API calls it a project.
    App,
    /// A snapshot of an app's files.
    AppVersion,
    /// What makes content from a version, an upload or a repository.
    Build,
    /// A part of a build.
    BuildStep,
    /// The operation of publishing a build.
    Deploy,
    /// A part of a deploy.
    DeployStep,
    /// What somebody did, or what came to pass.
    Event,
    /// A token, without its secret.
    ApiKey,
    /// Who wants to be told of events.
    WebhookSubscription,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The id of an entity.
    Id,
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number.
    Number,
    /// A point in time, shown in milliseconds.
    Time,
    /// Yes or no.
    Flag,
    /// A JSON value.
    Json,
}

/// A field of an entity.
#[derive(Clone, Copy)]
pub struct Field {
    /// Its name in the API.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be absent.
    pub nullable: bool,
    /// Whether one may filter and order by it.
    pub queried: bool,
    /// What it means, for the published description.
    pub about: &'static str,
}

/// Fields are the same when they have the same name: they are compared within one entity.
impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Only the name: it tells fields of one entity apart.
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How an entity is related to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its name in filters.
    pub name: &'static str,
    /// What it leads to.
    pub to: Entity,
    /// Whether it leads to any number of them, or to one at the most.
    pub many: bool,
}

impl Entity {
    /// All entities.
    pub const ALL: [Self; 10] = [
        Self::Workspace,
        Self::App,
        Self::AppVersion,
        Self::Build,
        Self::BuildStep,
        Self::Deploy,
        Self::DeployStep,
        Self::Event,
        Self::ApiKey,
        Self::WebhookSubscription,
    ];

    /// The name in the published description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Workspace => "Workspace",
            Self::App => "App",
            Self::AppVersion => "AppVersion",
            Self::Build => "Build",
            Self::BuildStep => "BuildStep",
            Self::Deploy => "Deploy",
            Self::DeployStep => "DeployStep",
            Self::Event => "Event",
            Self::ApiKey => "ApiKey",
            Self::WebhookSubscription => "WebhookSubscription",
        }
    }

    /// What its ids begin with, before the underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Workspace => "wsp",
            Self::App => "app",
            Self::AppVersion => "appver",
            Self::Build => "bld",
            Self::BuildStep => "bldstp",
            Self::Deploy => "dep",
            Self::DeployStep => "depstp",
            Self::Event => "evt",
            Self::ApiKey => "key",
            Self::WebhookSubscription => "whk",
        }
    }

    /// The field of this name.
    pub fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// The relation of this name.
    pub fn relation(self, name: &str) -> Option<&'static Relation> {
        self.relations().iter().find(|relation| relation.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_entity_can_be_ordered_by_its_age_and_names_nothing_twice() {
        for entity in Entity::ALL {
            let mut names = HashSet::new();
            for name in entity.fields().iter().map(|field| field.name) {
                assert!(names.insert(name), "{entity:?} has {name} twice");
            }
            for relation in entity.relations() {
                assert!(names.insert(relation.name), "{entity:?} has {} twice", relation.name);
            }
            for name in ["id", "createdAt"] {
                let field = entity.field(name).unwrap();
                assert!(field.queried && !field.nullable, "{entity:?}.{name}");
            }
        }
        let prefixes: HashSet<_> = Entity::ALL.iter().map(|entity| entity.prefix()).collect();
        assert_eq!(prefixes.len(), Entity::ALL.len());
    }
}

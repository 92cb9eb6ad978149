//! What the caller may see: a part of every statement.

use offprint_model::listing::Entity;

use super::columns::{table, write_computed};
use super::query::Query;
use crate::events::Actor;
use crate::tokens::{Permission, Principal};

/// Receipt: what a caller may see, and whether he may change it. Made by [`Principal::reach`], and for
/// the system's own questions.
#[derive(Clone, Debug)]
pub struct Reach {
    pub(crate) accounts: Vec<i64>,
    /// The projects, where not all of the accounts' are in reach.
    pub(crate) apps: Option<Vec<i64>>,
    pub(crate) actor: Actor,
    permission: Permission,
    deleted: Deleted,
}

/// Whether apps are seen that were deleted and can be restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deleted {
    /// They are not.
    #[default]
    Hidden,
    /// They are, too.
    Shown,
    /// Nothing else is.
    Only,
}

impl Principal {
    /// What the holder of the token may see.
    pub fn reach(&self) -> Reach {
        Reach {
            accounts: self.account_seqs().to_vec(),
            apps: self.apps().map(<[i64]>::to_vec),
            actor: self.actor().clone(),
            permission: self.permission(),
            deleted: Deleted::Hidden,
        }
    }
}

impl Reach {
    /// What the system itself sees of an account.
    pub(crate) fn of_account(account: i64) -> Self {
        Self {
            accounts: vec![account],
            apps: None,
            actor: Actor::default(),
            permission: Permission::Read,
            deleted: Deleted::Hidden,
        }
    }

    /// The same, with or without deleted apps.
    #[must_use]
    pub fn with_deleted(self, deleted: Deleted) -> Self {
        Self { deleted, ..self }
    }

    /// Whether the caller may change what he sees.
    pub fn may_write(&self) -> bool {
        self.permission >= Permission::Write
    }

    /// Whether the caller reaches whole workspaces, and not only some of their apps.
    pub const fn is_whole(&self) -> bool {
        self.apps.is_none()
    }

    /// Writes the condition that a row of an entity is in reach, and is there at all.
    pub(super) fn restrict(&self, query: &mut Query, entity: Entity, row: &'static str) {
        let account = if entity == Entity::Workspace { "seq" } else { "account_seq" };
        query.push("(");
        match entity {
            // Steps are seen with what they are steps of.
            Entity::BuildStep | Entity::DeployStep => drop(query.push("1 = 0")),
            _ => {
                query.push(row).push(".").push(account);
                one_of(query, &self.accounts);
            }
        }
        if let Some(apps) = &self.apps {
            query.push(" AND ");
            restrict_to_apps(query, entity, row, apps);
        }
        if let Some(there) = table(entity).there {
            query.push(" AND ");
            write_computed(query, there, row);
        }
        if entity == Entity::App {
            match self.deleted {
                Deleted::Hidden => drop(query.push(" AND ").push(row).push(".deleted IS NULL")),
                Deleted::Only => drop(query.push(" AND ").push(row).push(".deleted IS NOT NULL")),
                Deleted::Shown => {}
            }
        }
        query.push(")");
    }
}

fn restrict_to_apps(query: &mut Query, entity: Entity, row: &'static str, apps: &[i64]) {
    match entity {
        Entity::Workspace => {
            query.push("1 = 1");
        }
        Entity::App => {
            query.push(row).push(".seq");
            one_of(query, apps);
        }
        Entity::AppVersion | Entity::Build | Entity::Deploy => {
            query.push(row).push(".project_seq");
            one_of(query, apps);
        }
        Entity::Event => {
            query.push(row).push(".app IN (SELECT r.public_id FROM project r WHERE r.seq");
            one_of(query, apps);
            query.push(")");
        }
        Entity::BuildStep | Entity::DeployStep | Entity::ApiKey | Entity::WebhookSubscription => {
            query.push("1 = 0");
        }
    }
}

/// With one number an equality, since an index is then followed in its order.
pub(super) fn one_of(query: &mut Query, numbers: &[i64]) {
    match numbers {
        [one] => query.push(" = ").bind(*one),
        many => query.push(" IN ").bind_all(many.iter().copied()),
    };
}

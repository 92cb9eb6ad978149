//! Bindings: which of them we have, and what the others are called.

use std::collections::BTreeMap;

use offprint_model::config::{Binding, BindingKind};
use offprint_store::AccountScope;

use crate::bindings::Resource;

/// The bindings of a deployment by name.
pub(super) struct Bound {
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) missing: BTreeMap<String, String>,
}

/// Tells what we have from what we have not.
pub(super) fn of(account: &AccountScope, all: &BTreeMap<BindingKind, BTreeMap<String, Binding>>) -> Bound {
    let mut bound = Bound { resources: BTreeMap::new(), missing: BTreeMap::new() };
    for (kind, bindings) in all {
        for (name, binding) in bindings {
            match resource(account, *kind, binding) {
                Some(resource) => drop(bound.resources.insert(name.clone(), resource)),
                None => drop(bound.missing.insert(name.clone(), title(*kind).to_owned())),
            }
        }
    }
    bound
}

fn resource(account: &AccountScope, kind: BindingKind, binding: &Binding) -> Option<Resource> {
    let account = account.clone();
    // Without the member that says which one is meant, a binding leads nowhere.
    let member = |name: &str| binding.get(name).filter(|value| !value.is_empty()).cloned();
    match kind {
        BindingKind::Kv => Some(Resource::Kv { account, namespace: member("namespace_id")? }),
        BindingKind::D1 => Some(Resource::D1 { account, database: member("id")? }),
        BindingKind::R2 => Some(Resource::R2 { account, bucket: member("name")? }),
        _ => None,
    }
}

/// What people call a kind.
const fn title(kind: BindingKind) -> &'static str {
    match kind {
        BindingKind::Ai => "Workers AI",
        BindingKind::AnalyticsEngine => "Analytics Engine",
        BindingKind::Browser => "Browser Rendering",
        BindingKind::D1 => "D1",
        BindingKind::DurableObject => "Durable Object",
        BindingKind::Hyperdrive => "Hyperdrive",
        BindingKind::Kv => "KV",
        BindingKind::MtlsCertificate => "mTLS certificate",
        BindingKind::Queue => "Queue",
        BindingKind::R2 => "R2",
        BindingKind::Service => "service binding",
        BindingKind::Vectorize => "Vectorize",
    }
}

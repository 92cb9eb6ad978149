//! Bindings: which of them we have, and what the others are called.

use std::collections::BTreeMap;

use offprint_model::config::{Binding, BindingKind};
use offprint_model::name::ProjectName;
use offprint_store::AccountScope;

use crate::bindings::Resource;

/// What a service binding leads to: production of another project of the same account.
#[derive(Clone, Debug)]
pub(crate) struct ServiceTarget {
    pub(crate) account: AccountScope,
    pub(crate) project: ProjectName,
}

/// The bindings of a deployment by name.
pub(super) struct Bound {
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) services: BTreeMap<String, ServiceTarget>,
    pub(super) missing: BTreeMap<String, String>,
}

/// Tells what we have from what we have not.
pub(super) fn of(account: &AccountScope, all: &BTreeMap<BindingKind, BTreeMap<String, Binding>>) -> Bound {
    let mut bound = Bound { resources: BTreeMap::new(), services: BTreeMap::new(), missing: BTreeMap::new() };
    for (kind, bindings) in all {
        for (name, binding) in bindings {
            let name = name.clone();
            if let Some(resource) = resource(account, *kind, binding) {
                bound.resources.insert(name, resource);
            } else if let Some(target) = service(account, *kind, binding) {
                bound.services.insert(name, target);
            } else {
                bound.missing.insert(name, title(*kind).to_owned());
            }
        }
    }
    bound
}

/// Projects can be bound to as a whole: an entry point of its own is something that only Workers have.
fn service(account: &AccountScope, kind: BindingKind, binding: &Binding) -> Option<ServiceTarget> {
    let has = |name: &str| binding.get(name).is_some_and(|value| !value.is_empty());
    let is_plain = kind == BindingKind::Service && !has("entrypoint");
    let project = binding.get("service").filter(|_| is_plain)?;
    Some(ServiceTarget { account: account.clone(), project: ProjectName::parse(project).ok()? })
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
pub(super) const fn title(kind: BindingKind) -> &'static str {
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

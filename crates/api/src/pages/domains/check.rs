//! The resolvable check: does a name lead to this server?
//!
//! A name below `.localhost` always does. Any other does when every address it resolves to is an address
//! of the project's own host: then its owner has pointed it here. A domain that is active stays active
//! when a later check fails, because taking a site down is for its owner to say.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use offprint_model::name::Hostname;
use offprint_model::project::{Domain, DomainStatus};
use offprint_store::{ProjectScope, StoreError};

use crate::error::Result;
use crate::state::{Context, DomainCheck};

const LOOKUP_MAX: Duration = Duration::from_secs(3);

/// Checks a domain and notes the outcome.
pub(super) async fn run(ctx: &Context, scope: &ProjectScope, name: &Hostname) -> Result<Domain> {
    let domain = ctx.store.domain(scope, name).await?;
    if domain.status == DomainStatus::Active {
        return Ok(domain);
    }
    let host = ctx.urls.project_host(scope.project_name());
    let outcome = match ctx.domain_check {
        DomainCheck::Operator => {
            Err(format!("The operator of this server decides whether {name} may answer."))
        }
        DomainCheck::Resolve if is_local(name) => Ok(()),
        DomainCheck::Resolve => resolves_to(name.as_str(), &host).await,
    };
    let (status, error) = match outcome {
        Ok(()) => (DomainStatus::Active, None),
        Err(what_to_do) => (DomainStatus::Pending, Some(what_to_do)),
    };
    let domain = match ctx.store.set_domain_status(scope, name, status, error).await {
        // It leads to this server, but to another project. That is an outcome of the check like any other.
        Err(StoreError::TakenElsewhere) => {
            let why = format!("{name} is active in another project. Remove it there, then check again.");
            ctx.store.set_domain_status(scope, name, DomainStatus::Pending, Some(why)).await?
        }
        checked => checked?,
    };
    ctx.wake.edge();
    Ok(domain)
}

/// Names below `.localhost` lead to the machine they are asked on (RFC 6761).
fn is_local(name: &Hostname) -> bool {
    name.as_str().ends_with(".localhost")
}

async fn resolves_to(name: &str, host: &str) -> Result<(), String> {
    let (name_addresses, host_addresses) = tokio::join!(addresses(name), addresses(host));
    verdict(name, &name_addresses, host, &host_addresses)
}

fn verdict(
    name: &str,
    name_addresses: &BTreeSet<IpAddr>,
    host: &str,
    host_addresses: &BTreeSet<IpAddr>,
) -> Result<(), String> {
    if host_addresses.is_empty() {
        return Err(format!(
            "The project's own host {host} has no address, so {name} cannot be compared with it. Ask the \
             operator of this server to activate the domain."
        ));
    }
    if name_addresses.is_empty() {
        return Err(format!(
            "{name} has no address yet. Make a CNAME record from {name} to {host}, then check again."
        ));
    }
    if !name_addresses.is_subset(host_addresses) {
        return Err(format!(
            "{name} leads to another server. Make a CNAME record from {name} to {host}, remove its other \
             address records, then check again."
        ));
    }
    Ok(())
}

/// The addresses of a name; none when it has none or the answer does not come.
async fn addresses(name: &str) -> BTreeSet<IpAddr> {
    let lookup = tokio::net::lookup_host((name, 80));
    match tokio::time::timeout(LOOKUP_MAX, lookup).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        Ok(Err(_)) | Err(_) => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_here_when_all_its_addresses_are_ours() {
        let set = |list: &[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect::<BTreeSet<IpAddr>>();
        let check = |name: &[&str], host: &[&str]| {
            verdict("www.example.com", &set(name), "demo.example.net", &set(host))
        };
        assert_eq!(check(&["192.0.2.1"], &["192.0.2.1", "192.0.2.2"]), Ok(()));
        let said = |name: &[&str], host: &[&str]| check(name, host).unwrap_err();
        assert!(said(&[], &["192.0.2.1"]).contains("CNAME record from www.example.com to demo.example.net"));
        assert!(said(&["192.0.2.9"], &["192.0.2.1"]).contains("leads to another server"));
        assert!(said(&["192.0.2.1", "192.0.2.9"], &["192.0.2.1"]).contains("leads to another server"));
        assert!(said(&["192.0.2.1"], &[]).contains("Ask the operator"));
    }

    #[test]
    fn localhost_names_are_local() {
        assert!(is_local(&Hostname::parse("www.shop.localhost").unwrap()));
        assert!(!is_local(&Hostname::parse("localhost.example.com").unwrap()));
    }
}

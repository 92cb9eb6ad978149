//! The routing table: which site a host leads to.
//!
//! A table is immutable and always equals one committed revision of the store; readers take it from an
//! atomic pointer and no writer can make them wait. A new revision shares with its predecessor every
//! shard that did not change, so one activation among 100,000 projects copies one shard of pointers.
//! Considered and left: a concurrent map changed in place, which could show a reader the new branch
//! alias of a project with its old production.

mod sharded;

use std::collections::HashSet;
use std::sync::Arc;

use offprint_functions::DeploymentKey;
use offprint_model::name::ProjectName;
use offprint_model::time::Timestamp;
use offprint_store::{ProjectRoutes, RoutedDeployment, RoutingUpdate, ShortId};

use crate::sites::{SiteSlot, SiteSlots};
use sharded::Sharded;

/// One revision of the routes of all projects.
#[derive(Clone, Default)]
pub(crate) struct Table {
    revision: u64,
    projects: Sharded<Routes>,
    /// Custom domain → project name.
    domains: Sharded<Box<str>>,
}

/// Where a host leads.
#[derive(Clone, Copy)]
pub(crate) enum Route<'t> {
    /// To this site.
    Site(SiteRoute<'t>),
    /// To a deployment that was there once.
    Deleted,
    /// To a project that has not been deployed to production.
    NoProduction,
    /// Nowhere.
    Unknown,
}

/// The way to a site.
#[derive(Clone, Copy)]
pub(crate) struct SiteRoute<'t> {
    /// The site.
    pub(crate) site: &'t Arc<SiteSlot>,
    /// The deployment whose site it is.
    pub(crate) deployment: ShortId,
    /// Whether the host is any but the project's own and its custom domains.
    pub(crate) is_preview: bool,
    /// What the same host led to before, the latest first.
    earlier: &'t [Earlier],
    /// The branch; `None` for production.
    label: Option<&'t str>,
}

impl<'t> SiteRoute<'t> {
    /// Whether the project has a past at all.
    pub(crate) const fn has_earlier(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// The sites that the host led to after a time, the latest first.
    pub(crate) fn earlier_since(&self, time: Timestamp) -> impl Iterator<Item = &'t Earlier> {
        let label = self.label;
        self.earlier
            .iter()
            .filter(move |earlier| earlier.label.as_deref() == label && earlier.retired >= time)
    }
}

/// A site that a host led to before.
pub(crate) struct Earlier {
    /// The branch; `None` for production.
    label: Option<Box<str>>,
    /// The deployment.
    pub(crate) deployment: ShortId,
    /// Its content.
    pub(crate) site: Arc<SiteSlot>,
    retired: Timestamp,
}

/// The routes of one project, sorted for binary search and without spare capacity.
struct Routes {
    production: Option<Live>,
    branches: Box<[(Box<str>, Live)]>,
    deployments: Box<[(ShortId, Option<Arc<SiteSlot>>)]>,
    earlier: Box<[Earlier]>,
    domains: Box<[Box<str>]>,
}

/// The deployment that an alias leads to.
struct Live {
    site: Arc<SiteSlot>,
    deployment: ShortId,
}

impl Live {
    fn of(routed: RoutedDeployment, slots: &mut SiteSlots) -> Self {
        Self { site: slots.of(routed.site), deployment: routed.deployment }
    }
}

impl Table {
    /// The revision of the store that this table equals.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The deployments that are here and are gone with an update.
    pub(crate) fn gone_with(&self, update: &RoutingUpdate) -> Vec<DeploymentKey> {
        let mut gone = Vec::new();
        for (name, routes) in &update.projects {
            let Some(before) = self.projects.get(name.as_str()) else { continue };
            let listed = routes.iter().flat_map(|routes| &routes.deployments);
            let kept: HashSet<ShortId> =
                listed.filter(|(_, site)| site.is_some()).map(|(id, _)| *id).collect();
            let had = before.deployments.iter().filter(|(_, site)| site.is_some());
            let key = |(deployment, _): &(ShortId, _)| DeploymentKey {
                project: name.clone(),
                deployment: *deployment,
            };
            gone.extend(had.filter(|(id, _)| !kept.contains(id)).map(key));
        }
        gone
    }

    /// The table after an update.
    pub(crate) fn updated(&self, update: RoutingUpdate, slots: &mut SiteSlots) -> Self {
        let mut table = if update.full { Self::default() } else { self.clone() };
        let mut domain_changes = Vec::new();
        for (name, routes) in &update.projects {
            let before = table.projects.get(name.as_str()).map_or(&[][..], |routes| &routes.domains);
            // What is removed here and set again by another project of the same update stays set:
            // removals are applied first.
            domain_changes.extend(before.iter().map(|host| (host.clone(), None)));
            let after = routes.iter().flat_map(|routes| &routes.domains);
            domain_changes.extend(after.map(|host| (host.as_str().into(), Some(name.as_str().into()))));
        }
        domain_changes.sort_by_key(|(_, project)| project.is_some());
        table.domains = table.domains.with(domain_changes);
        table.projects = table.projects.with(
            update
                .projects
                .into_iter()
                .map(|(name, routes)| (key(&name), routes.map(|routes| Routes::new(routes, slots))))
                .collect(),
        );
        table.revision = update.revision;
        table
    }

    /// Whether a project has this custom domain.
    pub(crate) fn has_domain(&self, host: &str) -> bool {
        self.domains.get(host).is_some()
    }

    /// Where a host leads. `suffix` is `.` and the domain of the sites.
    pub(crate) fn route<'t>(&'t self, host: &str, suffix: &str) -> Route<'t> {
        let Some(labels) = host.strip_suffix(suffix) else {
            let routes = self.domains.get(host).and_then(|project| self.projects.get(project));
            return routes.map_or(Route::Unknown, Routes::production);
        };
        match labels.split_once('.') {
            None => self.projects.get(labels).map_or(Route::Unknown, Routes::production),
            Some((label, project)) => {
                self.projects.get(project).map_or(Route::Unknown, |routes| routes.preview(label))
            }
        }
    }

    /// The name of the project to which a host leads; meaningless where it leads nowhere.
    pub(crate) fn project_of<'t>(&'t self, host: &'t str, suffix: &str) -> &'t str {
        match host.strip_suffix(suffix) {
            None => self.domains.get(host).map_or("", |project| project),
            Some(labels) => labels.split_once('.').map_or(labels, |(_, project)| project),
        }
    }

    /// The way to a deployment that is known already, for a request that names this host. It is served as at that host
    /// if the host leads there; at any other host it depends on the name alone whether it is a preview (Cloudflare
    /// Pages serving rules, "Functions, advanced mode, `_routes.json`").
    pub(crate) fn route_to<'t>(&'t self, key: &DeploymentKey, host: &str, suffix: &str) -> Route<'t> {
        if let Route::Site(route) = self.route(host, suffix)
            && route.deployment == key.deployment
            && self.project_of(host, suffix) == key.project.as_str()
        {
            return Route::Site(route);
        }
        let routes = self.projects.get(key.project.as_str());
        match routes.and_then(|routes| routes.deployment(key.deployment)) {
            Some(Route::Site(route)) => {
                let is_preview = host.strip_suffix(suffix).is_some_and(|labels| labels.contains('.'));
                Route::Site(SiteRoute { is_preview, ..route })
            }
            other => other.unwrap_or(Route::Unknown),
        }
    }
}

fn key(name: &ProjectName) -> Box<str> {
    name.as_str().into()
}

impl Routes {
    fn new(routes: ProjectRoutes, slots: &mut SiteSlots) -> Self {
        let mut branches: Vec<(Box<str>, _)> = routes
            .branches
            .into_iter()
            .map(|(label, routed)| (Box::from(label.as_str()), Live::of(routed, slots)))
            .collect();
        branches.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let mut deployments: Vec<_> = routes
            .deployments
            .into_iter()
            .map(|(short, site)| (short, site.map(|site| slots.of(site))))
            .collect();
        deployments.sort_unstable_by_key(|(short, _)| *short);
        Self {
            production: routes.production.map(|routed| Live::of(routed, slots)),
            branches: branches.into(),
            deployments: deployments.into(),
            earlier: routes
                .predecessors
                .into_iter()
                .map(|predecessor| Earlier {
                    label: predecessor.label.map(|label| Box::from(label.as_str())),
                    deployment: predecessor.deployment,
                    site: slots.of(predecessor.site),
                    retired: predecessor.retired,
                })
                .collect(),
            domains: routes.domains.iter().map(|host| Box::from(host.as_str())).collect(),
        }
    }

    fn production(&self) -> Route<'_> {
        self.production.as_ref().map_or(Route::NoProduction, |live| {
            let (site, deployment) = (&live.site, live.deployment);
            Route::Site(SiteRoute {
                site,
                deployment,
                is_preview: false,
                earlier: &self.earlier,
                label: None,
            })
        })
    }

    /// A deployment's own label comes before a branch that happens to be eight hex digits.
    fn preview(&self, label: &str) -> Route<'_> {
        if let Some(route) = ShortId::parse(label).and_then(|short| self.deployment(short)) {
            return route;
        }
        match self.branches.binary_search_by(|(branch, _)| (**branch).cmp(label)) {
            Ok(at) => {
                let (label, live) = &self.branches[at];
                Route::Site(SiteRoute {
                    site: &live.site,
                    deployment: live.deployment,
                    is_preview: true,
                    earlier: &self.earlier,
                    label: Some(label),
                })
            }
            Err(_) => Route::Unknown,
        }
    }

    /// A deployment's own host, which has never led anywhere else; `None` where there was no such deployment.
    fn deployment(&self, deployment: ShortId) -> Option<Route<'_>> {
        let at = self.deployments.binary_search_by_key(&deployment, |(short, _)| *short).ok()?;
        let route = self.deployments[at].1.as_ref().map_or(Route::Deleted, |site| {
            Route::Site(SiteRoute { site, deployment, is_preview: true, earlier: &[], label: None })
        });
        Some(route)
    }
}

#[cfg(test)]
mod tests;

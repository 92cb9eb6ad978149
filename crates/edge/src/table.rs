//! The routing table: which site a host leads to.
//!
//! A table is immutable and always equals one committed revision of the store; readers take it from an
//! atomic pointer and no writer can make them wait. A new revision shares with its predecessor every
//! shard that did not change, so one activation among 100,000 projects copies one shard of pointers.
//! Considered and left: a concurrent map changed in place, which could show a reader the new branch
//! alias of a project with its old production.

mod sharded;

use offprint_model::name::ProjectName;
use offprint_store::{ProjectRoutes, RoutingUpdate, ShortId, SiteHash};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To this site; a preview is any host but the project's own and its custom domains.
    Site { site: SiteHash, is_preview: bool },
    /// To a deployment that was there once.
    Deleted,
    /// To a project that has not been deployed to production.
    NoProduction,
    /// Nowhere.
    Unknown,
}

/// The routes of one project, sorted for binary search and without spare capacity.
struct Routes {
    production: Option<SiteHash>,
    branches: Box<[(Box<str>, SiteHash)]>,
    deployments: Box<[(ShortId, Option<SiteHash>)]>,
    domains: Box<[Box<str>]>,
}

impl Table {
    /// The revision of the store that this table equals.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The table after an update.
    pub(crate) fn updated(&self, update: RoutingUpdate) -> Self {
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
            update.projects.into_iter().map(|(name, routes)| (key(&name), routes.map(Routes::new))).collect(),
        );
        table.revision = update.revision;
        table
    }

    /// Whether a project has this custom domain.
    pub(crate) fn has_domain(&self, host: &str) -> bool {
        self.domains.get(host).is_some()
    }

    /// Where a host leads. `suffix` is `.` and the domain of the sites.
    pub(crate) fn route(&self, host: &str, suffix: &str) -> Route {
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
}

fn key(name: &ProjectName) -> Box<str> {
    name.as_str().into()
}

impl Routes {
    fn new(routes: ProjectRoutes) -> Self {
        let mut branches: Vec<_> =
            routes.branches.into_iter().map(|(label, site)| (Box::from(label.as_str()), site)).collect();
        branches.sort_unstable();
        let mut deployments = routes.deployments;
        deployments.sort_unstable();
        Self {
            production: routes.production,
            branches: branches.into(),
            deployments: deployments.into(),
            domains: routes.domains.iter().map(|host| Box::from(host.as_str())).collect(),
        }
    }

    fn production(&self) -> Route {
        self.production.map_or(Route::NoProduction, |site| Route::Site { site, is_preview: false })
    }

    /// A deployment's own label comes before a branch that happens to be eight hex digits.
    fn preview(&self, label: &str) -> Route {
        if let Some(short) = ShortId::parse(label)
            && let Ok(at) = self.deployments.binary_search_by_key(&short, |(short, _)| *short)
        {
            return self.deployments[at]
                .1
                .map_or(Route::Deleted, |site| Route::Site { site, is_preview: true });
        }
        match self.branches.binary_search_by(|(branch, _)| (**branch).cmp(label)) {
            Ok(at) => Route::Site { site: self.branches[at].1, is_preview: true },
            Err(_) => Route::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;

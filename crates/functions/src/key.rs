//! The name of a deployment here.

use std::fmt;

use offprint_model::name::ProjectName;
use offprint_store::ShortId;

/// Which deployment. An edge keeps the short id beside each route and knows the project by its host; the API and the
/// pipeline have both in a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeploymentKey {
    /// The project's name.
    pub project: ProjectName,
    /// The deployment within it. A project never gives one away twice.
    pub deployment: ShortId,
}

impl fmt::Display for DeploymentKey {
    /// As in the deployment's own host: `1a2b3c4d.project`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.deployment, self.project)
    }
}

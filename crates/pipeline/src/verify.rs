//! A look at what has just gone live: its root, asked for as a visitor would.

use std::pin::Pin;
use std::sync::Arc;

use offprint_model::id::DeploymentId;
use offprint_model::name::ProjectName;
use offprint_store::Verified;

use crate::feedback::MayReach;

/// How the root of a deployment answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootAnswer {
    /// With this status.
    Status(u16),
    /// By the site's Worker. It is not asked: it has been started once already, and what it does at a request may
    /// have effects that nobody wanted.
    Worker,
}

/// Asks for the root of a deployment at its own host. The binary knows how.
pub type FetchRoot = Arc<
    dyn Fn(&ProjectName, &DeploymentId) -> Pin<Box<dyn Future<Output = Result<RootAnswer, String>> + Send>>
        + Send
        + Sync,
>;

/// The ways out of the house that deploys take.
#[derive(Clone, Default)]
pub(crate) struct Ways {
    /// How a deployment is looked at once it is live; `None`: it is not.
    pub(crate) fetch_root: Option<FetchRoot>,
    /// Which addresses of other servers may be called; `None`: none.
    pub(crate) may_reach: Option<MayReach>,
}

/// Looks at a deployment. A site need not have a front page; that it answers at all is what counts.
pub(crate) async fn verify(fetch: &FetchRoot, project: &ProjectName, id: &DeploymentId) -> Verified {
    match fetch(project, id).await {
        Ok(RootAnswer::Worker) => {
            Verified { log: "The root of the site is for its Worker to answer.".to_owned(), error: None }
        }
        Ok(RootAnswer::Status(status)) if status < 500 => {
            Verified { log: format!("The root of the site answers with status {status}."), error: None }
        }
        Ok(RootAnswer::Status(status)) => Verified {
            log: String::new(),
            error: Some(format!("The root of the site answers with status {status}.")),
        },
        Err(why) => Verified { log: String::new(), error: Some(format!("The site cannot be asked: {why}.")) },
    }
}

//! What becomes of builds on a server that does not build.

use offprint_model::deployment::LogLine;
use offprint_store::{Claim, Clock, Lease, StoreError};

use crate::stages::deploy::Deployer;
use crate::stages::{failed, illegal};
use crate::versions;

const WHY: &str = "Error: this server does not build repositories: its operator has switched builds off, or it has no \
    bubblewrap (see --builder). Deploy the built site with `offprint deploy` instead.";

/// Ends a build at once and says why; one that was built already goes live.
///
/// # Errors
/// The store failed, or the lease was lost.
pub(crate) async fn run(deployer: &Deployer, claim: &Claim) -> Result<(), StoreError> {
    match claim {
        Claim::Deployment(lease) => end(deployer, lease).await,
        Claim::Version(lease) => versions::fail(&deployer.store, lease, versions::CANNOT_BUILD).await,
    }
}

async fn end(deployer: &Deployer, lease: &Lease) -> Result<(), StoreError> {
    let store = &deployer.store;
    let work = store.work(lease).await?;
    if work.content.is_some() {
        return deployer.run(lease).await;
    }
    store.append_log(lease, &[LogLine { at: Clock::now(), text: WHY.to_owned() }]).await?;
    store.finish_failed(lease, failed(work.deployment.stages).map_err(illegal)?).await
}

//! What becomes of builds on a server that does not build.

use offprint_model::deployment::LogLine;
use offprint_store::{Clock, Lease, Store, StoreError, Wake};

use crate::stages::{deploy, failed, illegal};
use crate::verify::Ways;

const WHY: &str = "Error: this server does not build repositories: its operator has switched builds off, or it has no \
    bubblewrap (see --builder). Deploy the built site with `offprint deploy` instead.";

/// Ends a build at once and says why; one that was built already goes live.
///
/// # Errors
/// The store failed, or the lease was lost.
pub(crate) async fn run(store: &Store, wake: &Wake, lease: &Lease, ways: &Ways) -> Result<(), StoreError> {
    let work = store.work(lease).await?;
    if work.content.is_some() {
        return deploy::run(store, wake, lease, ways).await;
    }
    store.append_log(lease, &[LogLine { at: Clock::now(), text: WHY.to_owned() }]).await?;
    store.finish_failed(lease, failed(work.deployment.stages).map_err(illegal)?).await
}

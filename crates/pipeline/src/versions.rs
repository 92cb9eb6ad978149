//! The worker that builds versions of apps. There is nothing to run: their files are the content.

use std::time::Duration;

use offprint_store::{Store, StoreError, Wake};
use tokio_util::sync::CancellationToken;

/// Builds versions, one after the other.
pub(crate) struct VersionBuilder {
    pub(crate) store: Store,
    pub(crate) wake: Wake,
    pub(crate) idle: Duration,
    pub(crate) lease_ttl: Duration,
    pub(crate) stop: CancellationToken,
}

impl VersionBuilder {
    pub(crate) async fn run(self) {
        while !self.stop.is_cancelled() {
            match self.build_next().await {
                Ok(true) => {}
                Ok(false) => {
                    tokio::select! {
                        () = self.wake.pipeline_woken() => {}
                        () = tokio::time::sleep(self.idle) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
                // Its lease runs out, and it is claimed again.
                Err(error) => {
                    tracing::error!(%error, "cannot build a version");
                    tokio::time::sleep(self.idle).await;
                }
            }
        }
    }

    /// Builds the version that has waited longest. Says whether there was one.
    async fn build_next(&self) -> Result<bool, StoreError> {
        let Some(lease) = self.store.claim_version_build(self.lease_ttl).await? else { return Ok(false) };
        match self.store.build_version(&lease).await {
            Ok(()) | Err(StoreError::LeaseLost) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

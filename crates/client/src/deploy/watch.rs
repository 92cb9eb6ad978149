//! Waits until a deployment is live.

use std::time::{Duration, Instant};

use super::error::DeployError;
use super::{Event, Observer};
use crate::api::PagesClient;
use crate::types::{Deployment, Standing};

/// Waits between two looks; the last one repeats. Our own server is done within milliseconds.
const WAITS_MS: [u64; 8] = [10, 20, 50, 100, 250, 500, 1000, 2000];
/// Lines of the log that are shown when a deployment failed.
const LOG_LINES_MAX: usize = 20;

/// Looks again and again until the deployment is live or will never be.
///
/// # Errors
/// It failed, it took longer than `patience`, or the API could not be asked.
pub async fn until_live(
    client: &PagesClient,
    project: &str,
    created: Deployment,
    patience: Duration,
    observer: &Observer,
) -> Result<Deployment, DeployError> {
    let begin = Instant::now();
    let mut seen = created;
    for look in 0.. {
        match seen.standing() {
            Standing::Live => return Ok(seen),
            Standing::Ended => return Err(failed(client, project, seen).await),
            Standing::Underway if begin.elapsed() >= patience => {
                return Err(DeployError::Unfinished(Box::new(seen)));
            }
            Standing::Underway => {}
        }
        let wait = WAITS_MS[WAITS_MS.len().min(look + 1) - 1];
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let next = client.deployment(project, &seen.id).await?;
        if next.latest_stage != seen.latest_stage {
            observer(Event::Moved(Box::new(next.clone())));
        }
        seen = next;
    }
    Err(DeployError::Unfinished(Box::new(seen)))
}

async fn failed(client: &PagesClient, project: &str, deployment: Deployment) -> DeployError {
    // The failure itself is the news; a log that cannot be read must not hide it.
    let lines = client.deployment_log(project, &deployment.id).await.map(|log| log.data).unwrap_or_default();
    let skip = lines.len().saturating_sub(LOG_LINES_MAX);
    let log = lines.into_iter().skip(skip).map(|line| line.line).collect();
    DeployError::Failed { deployment: Box::new(deployment), log }
}

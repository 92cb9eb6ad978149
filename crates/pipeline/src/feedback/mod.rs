//! Tells forges how deployments are: a status for each commit, and one comment on a pull request.
//!
//! The store keeps an outbox with a row for each deployment whose state a forge has not heard yet. What is told is
//! read at that moment, so a forge may hear a state twice and always hears the last one. Projects are told side by
//! side, the deployments of one project one after the other: a slow forge keeps nobody else waiting, and a pull
//! request never gets two comments.
//!
//! Without a token nothing is told. A forge that is out of reach is tried again for hours, ever less often; one that
//! refuses is not asked again until the deployment changes.

mod call;
mod comment;
mod forge;
mod github;
mod gitlab;
mod report;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offprint_model::deployment::Deployment;
use offprint_model::id::{AccountId, DeploymentId, ProjectId};
use offprint_model::time::Timestamp;
use offprint_store::{Clock, FeedbackItem, Store, StoreError, Wake};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use call::ForgeError;
use forge::Forge;
use report::{CommitStatus, Standing};

pub use call::MayReach;
pub(crate) use call::guard;
pub use report::DeploymentLinks;

/// How many rows of the outbox are looked at together.
const BATCH: u32 = 64;
/// After a poke: the store lets quick changes of a deployment gather for a fifth of a second.
const GATHERED: Duration = Duration::from_millis(250);
/// How often one state of a deployment is tried to be told.
const TRIES_MAX: u32 = 16;
/// The waits after failures double, from the first to the longest.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30 * 60);
/// GitHub asks for a minute at least where it does not say how long.
const LIMITED_WAIT: Duration = Duration::from_secs(60);
const LIMITED_WAIT_MAX: Duration = Duration::from_secs(3600);
/// So many deployments are remembered to have been told; more are told twice.
const TOLD_MAX: usize = 10_000;

/// Where a deployment of an account is found.
pub type LinksOf = Arc<dyn Fn(&AccountId, &Deployment) -> DeploymentLinks + Send + Sync>;

/// What the worker needs besides the store.
#[derive(Clone)]
pub struct FeedbackOptions {
    /// Where deployments are found.
    pub links: LinksOf,
    /// Which addresses the server may call, since projects name their forges themselves.
    pub may_reach: MayReach,
    /// How long to sleep when nobody wakes us.
    pub idle: Duration,
}

/// The worker.
pub struct Feedback {
    teller: Arc<Teller>,
    wake: Wake,
    idle: Duration,
}

/// What a forge was told last of a deployment.
type Told = (Standing, Option<u64>);

struct Teller {
    store: Store,
    options: FeedbackOptions,
    told: Mutex<HashMap<DeploymentId, Told>>,
}

impl Feedback {
    /// A worker that has not begun.
    pub fn new(store: Store, wake: Wake, options: FeedbackOptions) -> Self {
        let idle = options.idle;
        Self { teller: Arc::new(Teller { store, options, told: Mutex::default() }), wake, idle }
    }

    /// Works until it is stopped. Calls under way are then given up: the outbox keeps what they were about.
    pub async fn run(self, stop: CancellationToken) {
        let mut calls = JoinSet::new();
        let mut busy: HashMap<Id, ProjectId> = HashMap::new();
        let mut look = Instant::now();
        loop {
            tokio::select! {
                Some(ended) = calls.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    busy.remove(&id);
                    look = Instant::now();
                }
                () = self.wake.feedback_woken() => look = look.min(Instant::now() + GATHERED),
                () = tokio::time::sleep_until(look) => {
                    look = Instant::now() + self.idle;
                    for item in self.due().await {
                        let project = item.scope.project_id().clone();
                        if !busy.values().any(|at_work| *at_work == project) {
                            let teller = Arc::clone(&self.teller);
                            let task = calls.spawn(async move { teller.tell(item).await });
                            busy.insert(task.id(), project);
                        }
                    }
                }
                () = stop.cancelled() => return,
            }
        }
    }

    async fn due(&self) -> Vec<FeedbackItem> {
        self.teller.store.due_feedback(Clock::now(), BATCH).await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read what forges are to be told");
            Vec::new()
        })
    }
}

impl Teller {
    /// Tells the forge of one deployment, and notes how that went.
    async fn tell(&self, item: FeedbackItem) {
        let deployment = &item.deployment.id;
        let noted = match self.report(&item).await {
            Ok(()) => self.store.feedback_done(item.id).await,
            Err(Trouble::Store(error)) => Err(error),
            Err(Trouble::Forge(error)) => match wait_after(&error, item.failures) {
                Some(wait) => {
                    tracing::info!(deployment.id = %deployment, %error, ?wait, "the forge is told later");
                    self.store.feedback_failed(item.id, later(wait)).await
                }
                None => {
                    tracing::warn!(deployment.id = %deployment, %error, "the forge is not told");
                    // Not asked again before there is something else to tell.
                    self.remember(deployment.clone(), told(&item));
                    self.store.feedback_done(item.id).await
                }
            },
        };
        if let Err(error) = noted {
            tracing::error!(deployment.id = %deployment, %error, "cannot note what a forge was told");
        }
    }

    /// The status first, then the comment; what is wrong with the one does not keep the other back.
    async fn report(&self, item: &FeedbackItem) -> Result<(), Trouble> {
        let told = told(item);
        if self.lock().get(&item.deployment.id) == Some(&told) {
            return Ok(());
        }
        let links = (self.options.links)(item.scope.account(), &item.deployment);
        let forge = Forge::of(&item.source, &item.token, &self.options.may_reach)?;
        let status = match CommitStatus::of(&item.deployment, &links) {
            Some(status) => forge.set_status(&status).await,
            None => Ok(()),
        };
        self.comment(item, &forge, &links).await?;
        status?;
        self.remember(item.deployment.id.clone(), told);
        Ok(())
    }

    async fn comment(
        &self,
        item: &FeedbackItem,
        forge: &Forge,
        links: &DeploymentLinks,
    ) -> Result<(), Trouble> {
        let Some(number) = item.pull_request else { return Ok(()) };
        // An older deployment that ends late must not speak over the newer one.
        if !item.newest || !item.source.pr_comments_enabled {
            return Ok(());
        }
        let remembered = item.comment_id.as_deref();
        let id = comment::put(forge, number, remembered, &item.deployment, links).await?;
        if remembered != Some(id.as_str()) {
            self.store.note_comment(&item.scope, number, Some(&id)).await?;
        }
        Ok(())
    }

    fn remember(&self, deployment: DeploymentId, told: Told) {
        let mut all = self.lock();
        if told.0.is_final() {
            all.remove(&deployment);
        } else {
            if all.len() >= TOLD_MAX {
                all.clear();
            }
            all.insert(deployment, told);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DeploymentId, Told>> {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn told(item: &FeedbackItem) -> Told {
    (Standing::of(&item.deployment), item.pull_request)
}

/// Why a forge was not told.
enum Trouble {
    Forge(ForgeError),
    Store(StoreError),
}

impl From<ForgeError> for Trouble {
    fn from(error: ForgeError) -> Self {
        Self::Forge(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How long to wait until the next try; `None`: there is none.
fn wait_after(error: &ForgeError, failures: u32) -> Option<Duration> {
    let doubled = |first: Duration| first.saturating_mul(1 << failures.min(20));
    if failures >= TRIES_MAX {
        return None;
    }
    match error {
        ForgeError::Busy(Some(wait)) => Some((*wait).clamp(WAIT_FIRST, LIMITED_WAIT_MAX)),
        ForgeError::Busy(None) => Some(doubled(LIMITED_WAIT).min(LIMITED_WAIT_MAX)),
        ForgeError::Passing(_) => Some(doubled(WAIT_FIRST).min(WAIT_MAX)),
        ForgeError::Gone | ForgeError::Refused { .. } | ForgeError::Unusable(_) => None,
    }
}

fn later(wait: Duration) -> Timestamp {
    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(Clock::now().as_micros().saturating_add(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_end_and_obey_the_forge() {
        let passing = ForgeError::Passing("x".into());
        assert_eq!(wait_after(&passing, 0), Some(Duration::from_secs(1)));
        assert_eq!(wait_after(&passing, 3), Some(Duration::from_secs(8)));
        assert_eq!(wait_after(&passing, 15), Some(WAIT_MAX));
        assert_eq!(wait_after(&passing, TRIES_MAX), None);
        let told = ForgeError::Busy(Some(Duration::from_secs(90)));
        assert_eq!(wait_after(&told, 5), Some(Duration::from_secs(90)));
        assert_eq!(wait_after(&ForgeError::Busy(None), 0), Some(LIMITED_WAIT));
        assert_eq!(wait_after(&ForgeError::Gone, 0), None);
        assert_eq!(wait_after(&ForgeError::Refused { status: 401, message: String::new() }, 0), None);
    }
}

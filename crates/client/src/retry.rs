//! When a failed call is made again, and how long to wait before.
//!
//! Waits double from call to call and are jittered, so that many clients that lost one server do not come
//! back in step. What the server says (`Retry-After`, `x-should-retry`) wins over what we think.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{ClientError, ErrorCode, ErrorKind};

/// How often and how patiently calls are made again.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// How many times a call is made again after its first failure.
    pub retries_max: u32,
    /// The wait before the first of them; it doubles from then on.
    pub wait_first: Duration,
    /// The longest wait of our own choice.
    pub wait_max: Duration,
    /// The longest wait that a server may ask for; a longer one is a failure at once.
    pub retry_after_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries_max: 5,
            wait_first: Duration::from_millis(500),
            wait_max: Duration::from_secs(15),
            retry_after_max: Duration::from_secs(120),
        }
    }
}

/// A call is about to be made again.
#[derive(Clone, Debug)]
pub struct RetryNotice {
    /// What happened.
    pub reason: String,
    /// How long we wait.
    pub wait: Duration,
}

/// Told about every call that is made again.
pub type OnRetry = Arc<dyn Fn(&RetryNotice) + Send + Sync>;

/// Whether making a call twice may do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Twice is as good as once.
    Harmless,
    /// A second call makes a second thing: only when the first one surely did nothing.
    MakesAnother,
}

/// A failed attempt and what the server said about trying again.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: ClientError,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) should_retry: Option<bool>,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self { error, retry_after: None, should_retry: None }
    }
}

impl RetryPolicy {
    /// The wait before the next attempt, or `None` when the failure is final. `done` counts the retries so far.
    pub(crate) fn wait(&self, failure: &Failure, repeat: Repeat, done: u32) -> Option<Duration> {
        let wanted = failure.should_retry.unwrap_or_else(|| is_transient(&failure.error, repeat));
        if !wanted || done >= self.retries_max {
            return None;
        }
        match failure.retry_after {
            Some(wait) => (wait <= self.retry_after_max).then_some(wait),
            None => {
                let whole = self.wait_first.saturating_mul(1 << done.min(16)).min(self.wait_max);
                Some(whole.mul_f64(rand::random_range(0.5..=1.0)))
            }
        }
    }
}

fn is_transient(error: &ClientError, repeat: Repeat) -> bool {
    match repeat {
        Repeat::Harmless => matches!(
            error.kind(),
            ErrorKind::Unreachable
                | ErrorKind::Interrupted
                | ErrorKind::TimedOut
                | ErrorKind::TooManyRequests
                | ErrorKind::ServerFault
        ),
        // The API answers 8000000 only when nothing was stored; 429 and 503 refuse before they begin.
        Repeat::MakesAnother => {
            matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::TooManyRequests)
                || error.status() == Some(503)
                || error.is(ErrorCode::Unknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16) -> Failure {
        ClientError::refused("POST x", status, Vec::new()).into()
    }

    #[test]
    fn only_failures_that_may_pass_are_retried() {
        let policy = RetryPolicy::default();
        for status in [408, 429, 500, 502, 503, 599] {
            assert!(policy.wait(&failure(status), Repeat::Harmless, 0).is_some(), "{status}");
        }
        for status in [400, 401, 403, 404, 409, 422] {
            assert!(policy.wait(&failure(status), Repeat::Harmless, 0).is_none(), "{status}");
        }
        assert!(policy.wait(&failure(502), Repeat::MakesAnother, 0).is_none());
        assert!(policy.wait(&failure(503), Repeat::MakesAnother, 0).is_some());
    }

    #[test]
    fn the_server_has_the_last_word() {
        let policy = RetryPolicy::default();
        let told = |should_retry, retry_after| Failure { should_retry, retry_after, ..failure(500) };
        assert!(policy.wait(&told(Some(false), None), Repeat::Harmless, 0).is_none());
        let second = Duration::from_secs(1);
        assert_eq!(policy.wait(&told(None, Some(second)), Repeat::Harmless, 0), Some(second));
        let hour = Duration::from_secs(3600);
        assert!(policy.wait(&told(None, Some(hour)), Repeat::Harmless, 0).is_none());
    }

    #[test]
    fn waits_grow_and_stay_jittered_and_end() {
        let policy = RetryPolicy::default();
        for done in 0..policy.retries_max {
            let whole = (policy.wait_first * (1 << done)).min(policy.wait_max);
            let wait = policy.wait(&failure(500), Repeat::Harmless, done).unwrap();
            assert!(wait <= whole && wait >= whole / 2, "{done}: {wait:?}");
        }
        assert!(policy.wait(&failure(500), Repeat::Harmless, policy.retries_max).is_none());
    }
}

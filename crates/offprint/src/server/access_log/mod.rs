//! A line of JSON about every request, or every so-manieth.
//!
//! Requests never wait for the log: a line is put into a bounded queue when the answer's body has ended, and one
//! thread writes. When that thread cannot keep up, lines are dropped and counted.

mod line;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use crate::config::checked::AccessLogConfig;

pub(crate) use line::Line;
use writer::Writer;

/// How often it is told that lines were dropped.
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// How long the last lines may take at the end; standard output may be a pipe that nobody reads.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_PAUSE: Duration = Duration::from_millis(5);

/// The access log. Clones share it.
#[derive(Clone)]
pub(crate) struct AccessLog(Arc<Inner>);

struct Inner {
    writer: Arc<Writer>,
    sampler: Sampler,
    metrics: Arc<Metrics>,
}

impl AccessLog {
    /// Opens the log and starts its thread.
    ///
    /// # Errors
    /// The file cannot be opened, by the setting's and the file's name.
    pub(crate) fn start(config: &AccessLogConfig, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let writer = Arc::new(Writer::start(config.file.as_deref(), Arc::clone(&metrics))?);
        Ok(Self(Arc::new(Inner { writer, sampler: Sampler::new(config.sample), metrics })))
    }

    /// Begins the line of a request that came at this time; `None` where it is not in the sample.
    pub(crate) fn begin<B>(&self, request: &Request<B>, remote: SocketAddr, came: Instant) -> Option<Line> {
        let begin = || Line::begin(request, remote, came, Arc::clone(&self.0.writer));
        self.0.sampler.takes_next().then(begin)
    }

    /// Opens the file anew: what was there has been moved away.
    pub(crate) fn reopen(&self) {
        self.0.writer.reopen();
    }

    /// Tells of lines that were dropped, until the server stops.
    pub(crate) async fn tell_of_dropped(self, stop: CancellationToken) {
        let mut told = 0;
        while stop.run_until_cancelled(sleep(TELL_INTERVAL)).await.is_some() {
            told = self.tell(told);
        }
        self.tell(told);
    }

    fn tell(&self, told: u64) -> u64 {
        let dropped = self.0.metrics.log_lines_dropped();
        if dropped > told {
            tracing::warn!(lines = dropped - told, "the access log could not keep up; lines were dropped");
        }
        dropped
    }

    /// Writes everything that has been put into the queue, and ends the thread.
    pub(crate) async fn close(&self) {
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        loop {
            if let Some(written) = self.0.writer.stop() {
                if timeout_at(deadline.into(), written).await.is_err() {
                    tracing::warn!("the last lines of the access log could not be written");
                }
                return;
            }
            if Instant::now() > deadline {
                return;
            }
            sleep(CLOSE_PAUSE).await;
        }
    }
}

/// Decides which requests are in the sample, without asking for chance: the multiples of the golden ratio are
/// spread evenly over the circle, so of any run of requests the wanted share is taken, and no pattern in what
/// clients ask for can hide from it.
struct Sampler {
    count: AtomicU64,
    limit: u64,
}

impl Sampler {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

    /// The rate is above 0 and at most 1.
    fn new(rate: f64) -> Self {
        // A float that is too large becomes the greatest number there is.
        Self { count: AtomicU64::new(0), limit: (rate * u64::MAX as f64) as u64 }
    }

    fn takes_next(&self) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed).wrapping_mul(Self::GOLDEN) <= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_asked_for_is_taken_of_any_run() {
        for (rate, of, expected) in
            [(1.0, 1000, 1000), (0.5, 1000, 500), (0.01, 10_000, 100), (1e-9, 1000, 1)]
        {
            let sampler = Sampler::new(rate);
            let taken = (0..of).filter(|_| sampler.takes_next()).count();
            assert!(taken.abs_diff(expected) <= 2, "{rate}: {taken}");
        }
        // Every second request alone, as where pages and their styles alternate.
        let sampler = Sampler::new(0.5);
        let taken = (0..2000).filter(|n| sampler.takes_next() && n % 2 == 0).count();
        assert!(taken.abs_diff(500) <= 5, "{taken}");
    }
}

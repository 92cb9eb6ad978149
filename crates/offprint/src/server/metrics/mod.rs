//! What the server counts about itself, for Prometheus.
//!
//! A request costs a few relaxed additions at places in fixed arrays: no map is searched, no lock is taken and
//! nothing is allocated. The series there can be are therefore known beforehand, whatever clients send: no
//! host, path or project is ever a label. The text is made here as well, since the Prometheus client libraries
//! either keep their series behind locks or write OpenMetrics, which not every scraper reads.

mod histogram;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use offprint_edge::CacheOutcome;
use offprint_functions::RuntimeCounts;
use offprint_model::time::Timestamp;

use histogram::Histogram;
use text::Text;

pub(crate) use text::CONTENT_TYPE;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    /// A site.
    Site,
    /// The server itself: the APIs, health, the front page.
    Platform,
    /// A site's Worker, or what stood in for it.
    Function,
}

impl Surface {
    const ALL: [Self; 3] = [Self::Site, Self::Platform, Self::Function];

    /// In logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Platform => "platform",
            Self::Function => "function",
        }
    }
}

/// The codes that have series of their own; all others share one.
const STATUSES: [u16; 31] = [
    101, 200, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413,
    415, 416, 422, 426, 429, 500, 501, 502, 503, 504,
];
const OTHER_STATUS: usize = STATUSES.len();

/// The place of every three-digit code in [`STATUSES`].
const STATUS_PLACES: [u8; 1000] = {
    let mut places = [OTHER_STATUS as u8; 1000];
    let mut place = 0;
    while place < STATUSES.len() {
        places[STATUSES[place] as usize] = place as u8;
        place += 1;
    }
    places
};

type ByCache = [Histogram; CacheOutcome::ALL.len()];
type ByStatus = [ByCache; STATUSES.len() + 1];

/// The counters.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: [ByStatus; Surface::ALL.len()],
    ready_answers: AtomicU64,
    body_bytes: [AtomicU64; Surface::ALL.len()],
    connections_accepted: AtomicU64,
    connections_closed: AtomicU64,
    tls_failures: AtomicU64,
    log_lines_dropped: AtomicU64,
}

/// A connection that is open, until this is dropped.
pub(crate) struct OpenConnection<'m>(&'m Metrics);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.connections_closed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// A request has its answer, this long after its head was read; the body is about to be sent.
    pub(crate) fn answered(
        &self,
        surface: Surface,
        status: StatusCode,
        cache: CacheOutcome,
        elapsed: Duration,
    ) {
        let place =
            STATUS_PLACES.get(usize::from(status.as_u16())).map_or(OTHER_STATUS, |place| (*place).into());
        self.requests[surface as usize][place][cache as usize].observe(elapsed);
    }

    /// A site's answer stood ready (see `lane`) and is about to be sent, with a body of so many bytes. That it took no
    /// time is true to the microsecond: nothing was waited for.
    pub(crate) fn stood_ready(&self, status: StatusCode, cache: CacheOutcome, bytes: u64) {
        self.ready_answers.fetch_add(1, Ordering::Relaxed);
        self.answered(Surface::Site, status, cache, Duration::ZERO);
        self.sent(Surface::Site, bytes);
    }

    /// The body of an answer has ended, well or not, after so many bytes.
    pub(crate) fn sent(&self, surface: Surface, bytes: u64) {
        self.body_bytes[surface as usize].fetch_add(bytes, Ordering::Relaxed);
    }

    /// A client has connected.
    pub(crate) fn connected(&self) -> OpenConnection<'_> {
        self.connections_accepted.fetch_add(1, Ordering::Relaxed);
        OpenConnection(self)
    }

    /// A client and we did not come to speak TLS.
    pub(crate) fn tls_failed(&self) {
        self.tls_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The access log could not take a line.
    pub(crate) fn log_line_dropped(&self) {
        self.log_lines_dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The lines that the access log could not take so far.
    pub(crate) fn log_lines_dropped(&self) -> u64 {
        self.log_lines_dropped.load(Ordering::Relaxed)
    }

    /// Everything in the text format of Prometheus, with the processes of Functions that there are and what became of
    /// others. The time of the start is of this process.
    pub(crate) fn text(
        &self,
        function_processes: usize,
        functions: RuntimeCounts,
        started: Timestamp,
    ) -> String {
        let mut text = Text::default();
        self.write_requests(&mut text);
        text.family("offprint_http_response_body_bytes_total", "counter", "Bytes of bodies that were sent.");
        for surface in Surface::ALL {
            text.sample("", &[("surface", surface.as_str())], count(&self.body_bytes[surface as usize]));
        }
        let ready = count(&self.ready_answers);
        let (accepted, closed) = (count(&self.connections_accepted), count(&self.connections_closed));
        for (name, kind, help, value) in [
            ("offprint_http_ready_answers_total", "counter", "Answers of sites that stood ready.", ready),
            ("offprint_connections_accepted_total", "counter", "Connections of clients.", accepted),
            (
                "offprint_connections_open",
                "gauge",
                "Connections that are open now.",
                accepted.saturating_sub(closed),
            ),
            (
                "offprint_tls_handshakes_failed_total",
                "counter",
                "Connections that did not come to speak TLS.",
                count(&self.tls_failures),
            ),
            (
                "offprint_access_log_lines_dropped_total",
                "counter",
                "Lines of the access log that were dropped, since writing could not keep up.",
                self.log_lines_dropped(),
            ),
        ] {
            text.family(name, kind, help);
            text.sample("", &[], value);
        }
        write_functions(&mut text, function_processes, functions);
        write_process(&mut text, started);
        text.finish()
    }

    fn write_requests(&self, text: &mut Text) {
        text.family("offprint_http_requests_total", "counter", "Requests that were answered.");
        self.each_series(|labels, histogram| text.sample("", labels, histogram.count()));
        text.family(
            "offprint_http_request_duration_seconds",
            "histogram",
            "Time from a request's head to the answer's.",
        );
        self.each_series(|labels, histogram| histogram.write(text, labels));
    }

    /// Goes through the series that anything has happened in.
    fn each_series(&self, mut visit: impl FnMut(&[(&str, &str)], &Histogram)) {
        for surface in Surface::ALL {
            for (place, by_cache) in self.requests[surface as usize].iter().enumerate() {
                let status = STATUSES.get(place).map_or("other".to_owned(), u16::to_string);
                for cache in CacheOutcome::ALL {
                    let histogram = &by_cache[cache as usize];
                    if histogram.count() > 0 {
                        let labels =
                            [("surface", surface.as_str()), ("status", &status), ("cache", cache.as_str())];
                        visit(&labels, histogram);
                    }
                }
            }
        }
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn write_functions(text: &mut Text, processes: usize, counts: RuntimeCounts) {
    text.family("offprint_function_processes", "gauge", "Processes of Functions that live now.");
    text.sample("", &[], processes);
    text.family("offprint_function_starts_total", "counter", "Processes of Functions that came to run.");
    text.sample("", &[], counts.starts);
    text.family("offprint_function_failures_total", "counter", "Processes of Functions that failed.");
    for (kind, count) in [
        ("start", counts.failed_starts),
        ("crash", counts.crashes),
        ("memory", counts.out_of_memory),
        ("compute", counts.spinning),
    ] {
        text.sample("", &[("kind", kind)], count);
    }
}

/// Names as in every Prometheus client.
fn write_process(text: &mut Text, started: Timestamp) {
    text.family("offprint_build_info", "gauge", "The version that runs.");
    text.sample("", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family("process_start_time_seconds", "gauge", "Start of the process, in seconds since the epoch.");
    text.sample("", &[], started.as_micros() as f64 / 1e6);
    if let Some(bytes) = resident_bytes() {
        text.family("process_resident_memory_bytes", "gauge", "Resident memory.");
        text.sample("", &[], bytes);
    }
}

/// As Linux tells it; other systems do not.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests;

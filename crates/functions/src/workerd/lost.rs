//! The events of calls whose process ended in the middle: it is not there any more to tell of them itself.

use std::time::Duration;

use http::header::{COOKIE, HOST, HeaderMap, HeaderName};
use http::{Method, Request, Uri};
use offprint_store::Clock;
use offprint_wire::tail::{Exception, TailEvent};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::config::{CF_HEADER, PROTO_HEADER};
use super::process::{Process, Verdict};
use crate::key::DeploymentKey;
use crate::tail::Tails;

/// How long the end of a process may take to be noticed, after a connection to it broke.
const END_NOTICED: Duration = Duration::from_secs(1);
/// Headers with one of these words in their names are told without their values, as workerd tells of them.
const SENSITIVE: [&str; 5] = ["auth", "jwt", "key", "secret", "token"];
const REDACTED: &str = "REDACTED";

/// A call that a process was sent.
pub(super) struct Call {
    tails: Tails,
    key: DeploymentKey,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    began_ms: i64,
}

impl Call {
    /// Notes a request as it is sent to a process.
    pub(super) fn of<B>(tails: &Tails, key: &DeploymentKey, request: &Request<B>) -> Self {
        Self {
            tails: tails.clone(),
            key: key.clone(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            began_ms: now_ms(),
        }
    }

    /// Its connection broke: waits a moment for the end of the process, and gives back why that is, if it is so.
    pub(super) async fn broke(process: &Process) -> Option<Verdict> {
        let _ = timeout(END_NOTICED, process.ended()).await;
        process.verdict()
    }

    /// Tells of it, since the process has ended for that reason. `status` is what the visitor was sent.
    pub(super) fn tell(&self, verdict: Verdict, status: u16) {
        let (outcome, why) = match verdict {
            // As the real service calls it.
            Verdict::Spinning => ("exceededCpu", "Worker exceeded CPU time limit."),
            Verdict::Memory => ("exceededMemory", "Worker exceeded memory limit."),
            Verdict::Crashed => ("unknown", "The process of the Function ended before the call did."),
            // It was asked to end, and this call took too long to be waited for.
            Verdict::Stopped => ("canceled", ""),
        };
        let thrown =
            Exception { name: "Error".into(), message: why.into(), stack: None, timestamp: now_ms() };
        let event = TailEvent {
            outcome: outcome.into(),
            exceptions: if why.is_empty() { Vec::new() } else { vec![thrown] },
            event_timestamp: self.began_ms,
            event: json!({ "request": self.request(), "response": { "status": status } }),
            ..TailEvent::default()
        };
        self.tails.publish(&self.key, vec![event], 0);
    }

    fn request(&self) -> Value {
        let text =
            |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, host) = (text(PROTO_HEADER), text(HOST.as_str()));
        let cf: Value = serde_json::from_str(text(CF_HEADER)).unwrap_or_default();
        let url = without_ids(&format!("{scheme}://{host}{}", self.uri));
        json!({ "url": url, "method": self.method.as_str(), "headers": told(&self.headers), "cf": cf })
    }
}

fn told(headers: &HeaderMap) -> Map<String, Value> {
    let ours = |name: &HeaderName| name == PROTO_HEADER || name == CF_HEADER;
    let told = |name: &HeaderName| {
        if *name == COOKIE || SENSITIVE.iter().any(|word| name.as_str().contains(word)) {
            return REDACTED.to_owned();
        }
        let lines = headers.get_all(name).iter();
        lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect::<Vec<_>>().join(", ")
    };
    let names = headers.keys().filter(|name| !ours(name));
    names.map(|name| (name.as_str().to_owned(), told(name).into())).collect()
}

/// A URL may have somebody's key in it. What looks like one is taken out, by workerd's rule: 32 or more hexadecimal
/// digits, or 21 or more letters and digits with two of each kind.
fn without_ids(url: &str) -> String {
    let is_of_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+');
    let mut redacted = String::with_capacity(url.len());
    let mut rest = url;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_of_id(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        redacted.push_str(if is_id(word) { REDACTED } else { word });
        let next = behind.find(is_of_id).unwrap_or(behind.len());
        redacted.push_str(&behind[..next]);
        rest = &behind[next..];
    }
    redacted
}

fn is_id(word: &str) -> bool {
    let count = |is: fn(&char) -> bool| word.chars().filter(is).count();
    let digits_only = word.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '-' | '_' | '+'));
    let is_hex = digits_only && count(char::is_ascii_hexdigit) >= 32;
    let kinds =
        [count(char::is_ascii_uppercase), count(char::is_ascii_lowercase), count(char::is_ascii_digit)];
    is_hex || (word.len() >= 21 && kinds.iter().all(|kind| *kind >= 2))
}

fn now_ms() -> i64 {
    Clock::now().as_micros() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_key_is_not_told() {
        for (url, told) in [
            ("https://a.example/x?y=1", "https://a.example/x?y=1"),
            ("https://a.example/0123456789abcdef0123456789ABCDEF/x", "https://a.example/REDACTED/x"),
            ("https://a.example/?t=0123-4567-89ab-cdef-0123-4567-89ab-cdef", "https://a.example/?t=REDACTED"),
            ("https://a.example/?t=AbcdefGhijklmnop0123456&u=2", "https://a.example/?t=REDACTED&u=2"),
            (
                "https://a.example/a-long-name-in-lower-case-2026-11",
                "https://a.example/a-long-name-in-lower-case-2026-11",
            ),
        ] {
            assert_eq!(without_ids(url), told);
        }
        let request =
            Request::get("/").header("x-api-key", "k").header("cookie", "c").header(CF_HEADER, "{}");
        let request = request.header("accept", "a").header("accept", "b").body(()).unwrap();
        let told = Value::Object(told(request.headers()));
        assert_eq!(told, json!({ "x-api-key": "REDACTED", "cookie": "REDACTED", "accept": "a, b" }));
    }
}

//! One call: address, credentials, body, envelope, retries.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use offprint_model::secret::Secret;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::{ClientError, ErrorKind, Fault};
use crate::retry::{Failure, OnRetry, Repeat, RetryNotice, RetryPolicy};

/// How long a call may take that carries no large body.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The slowest line on which an upload still succeeds.
const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 32 * 1024;
/// What a stream of events says it is.
const EVENT_STREAM: &str = "text/event-stream";
/// Retries while no server has answered at all.
const ABSENT_RETRIES_MAX: u32 = 2;

/// The connection to one API.
pub(crate) struct Transport {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    pub(crate) retry: RetryPolicy,
    pub(crate) on_retry: Option<OnRetry>,
    /// Whether the server has ever answered.
    pub(crate) reached: AtomicBool,
}

/// A call that can be made any number of times.
pub(crate) struct Call {
    method: Method,
    url: Url,
    /// Method and path, for people.
    name: String,
    body: Option<(HeaderValue, Bytes)>,
    repeat: Repeat,
}

/// A `GET` without more.
pub(crate) const NO_QUERY: &[(&str, &str)] = &[];

impl Transport {
    /// Lays out a call. Segments are percent-encoded, so that no name can lead to another endpoint.
    pub(crate) fn call(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Call, ClientError> {
        let name = format!("{method} /{}", segments.join("/"));
        let refuse = |why| ClientError::local(ErrorKind::BadAddress, &name, why);
        // `.` and `..` would be resolved away and make a deletion hit the thing above.
        if segments.iter().any(|s| matches!(*s, "" | "." | "..")) {
            return Err(refuse("a name in the path is empty or made of dots"));
        }
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| refuse("the API's address cannot carry a path"))?
            .pop_if_empty()
            .extend(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let repeat = Repeat::Harmless;
        Ok(Call { method, url, name, body: None, repeat })
    }

    /// Makes the call, again where that helps, and reads the `result` of its envelope.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        call: &Call,
        token: &Secret<String>,
    ) -> Result<Answer<T>, ClientError> {
        let mut done = 0;
        loop {
            let failure = match self.attempt(call, token).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Some(wait) = self.wait(&failure, call.repeat, done) else {
                return Err(failure.error);
            };
            tracing::debug!(call = call.name, error = %failure.error, ?wait, "retrying");
            if let Some(notify) = &self.on_retry {
                notify(&RetryNotice { reason: failure.error.to_string(), wait });
            }
            tokio::time::sleep(wait).await;
            done += 1;
        }
    }

    /// A server that never answered is more likely not there than busy: then patience is short.
    fn wait(&self, failure: &Failure, repeat: Repeat, done: u32) -> Option<Duration> {
        let absent = failure.error.kind() == ErrorKind::Unreachable && !self.reached.load(Ordering::Relaxed);
        if absent && done >= ABSENT_RETRIES_MAX { None } else { self.retry.wait(failure, repeat, done) }
    }

    /// Opens a stream of events, once; `None` where the server answers with something else. The stream itself
    /// may take any time: whoever reads it minds the silence.
    pub(crate) async fn open_stream(
        &self,
        call: &Call,
        token: &Secret<String>,
        last_id: Option<&str>,
    ) -> Result<Option<Response>, ClientError> {
        let address = self.base.origin().ascii_serialization();
        let fail = |error| ClientError::transport(&call.name, &address, error);
        let mut request = self.request(call, token)?.header(ACCEPT, EVENT_STREAM);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let late = |_| ClientError::local(ErrorKind::TimedOut, &call.name, "no answer in time");
        let sent = tokio::time::timeout(CALL_TIMEOUT, request.send()).await.map_err(late)?;
        let response = sent.map_err(fail)?;
        self.reached.store(true, Ordering::Relaxed);
        let is_stream = text_of(response.headers(), CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.starts_with(EVENT_STREAM));
        match response.status().as_u16() {
            200 if is_stream => Ok(Some(response)),
            200..=299 | 400 | 404 | 405 | 406 | 501 => Ok(None),
            status => {
                let headers = response.headers().clone();
                let body = response.bytes().await.map_err(fail)?;
                let refused = read_envelope::<IgnoredAny>(&call.name, status, &headers, &body);
                Err(refused.err().unwrap_or_else(|| ClientError::malformed(&call.name, status, "no stream")))
            }
        }
    }

    /// The beginning of a request: method, address, token.
    fn request(&self, call: &Call, token: &Secret<String>) -> Result<RequestBuilder, ClientError> {
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| {
                ClientError::local(ErrorKind::Unauthorized, &call.name, "the token holds odd characters")
            })?;
        authorization.set_sensitive(true);
        let request = self.http.request(call.method.clone(), call.url.clone());
        Ok(request.header(AUTHORIZATION, authorization))
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        call: &Call,
        token: &Secret<String>,
    ) -> Result<Answer<T>, Failure> {
        let address = self.base.origin().ascii_serialization();
        let fail = |error| Failure::from(ClientError::transport(&call.name, &address, error));
        let mut request = self.request(call, token)?;
        let mut timeout = CALL_TIMEOUT;
        if let Some((content_type, body)) = &call.body {
            request = request.header(CONTENT_TYPE, content_type).body(body.clone());
            timeout += Duration::from_secs(body.len() as u64 / UPLOAD_BYTES_PER_SECOND_MIN);
        }
        let response = request.timeout(timeout).send().await.map_err(fail)?;
        self.reached.store(true, Ordering::Relaxed);
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.map_err(fail)?;
        read_envelope(&call.name, status, &headers, &body).map_err(|error| Failure {
            error,
            retry_after: retry_after(&headers),
            should_retry: should_retry(&headers),
        })
    }
}

impl Call {
    /// Carries JSON.
    pub(crate) fn json(self, body: &impl serde::Serialize) -> Result<Self, ClientError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| ClientError::local(ErrorKind::Rejected, &self.name, error.to_string()))?;
        Ok(self.json_bytes(body.into()))
    }

    /// Carries JSON that is text already.
    pub(crate) fn json_bytes(self, body: Bytes) -> Self {
        Self { body: Some((HeaderValue::from_static("application/json"), body)), ..self }
    }

    /// Carries a form.
    pub(crate) fn form(self, form: crate::form::Form) -> Result<Self, ClientError> {
        let (content_type, body) = form.finish();
        let content_type = HeaderValue::try_from(content_type)
            .map_err(|error| ClientError::local(ErrorKind::Rejected, &self.name, error.to_string()))?;
        Ok(Self { body: Some((content_type, body)), ..self })
    }

    /// Makes another thing each time it is made; see [`Repeat::MakesAnother`].
    pub(crate) fn makes_another(self) -> Self {
        Self { repeat: Repeat::MakesAnother, ..self }
    }
}

/// The `result` of an envelope; `None` where it is `null` or absent.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(crate) struct Answer<T> {
    #[serde(default)]
    pub(crate) result: Option<T>,
    success: bool,
    #[serde(skip)]
    call: String,
    #[serde(skip)]
    status: u16,
}

impl<T> Answer<T> {
    /// The result, where one is needed.
    pub(crate) fn needed(self) -> Result<T, ClientError> {
        self.result.ok_or_else(|| ClientError::malformed(&self.call, self.status, "the answer has no result"))
    }
}

/// The rest of an envelope: what is left when `result` is of no interest.
#[derive(Deserialize)]
struct Verdict {
    success: bool,
    #[serde(default)]
    errors: Option<Vec<Fault>>,
    #[allow(dead_code)]
    #[serde(default)]
    result: Option<IgnoredAny>,
}

fn read_envelope<T: DeserializeOwned>(
    call: &str,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Answer<T>, ClientError> {
    if body.is_empty() && (status == 204 || status == 205) {
        return Ok(Answer { result: None, success: true, call: call.to_owned(), status });
    }
    // Success first and in one pass: answers may hold tens of thousands of keys.
    let misfit = match serde_json::from_slice::<Answer<T>>(body) {
        Ok(answer) if answer.success && status < 400 => {
            return Ok(Answer { call: call.to_owned(), status, ..answer });
        }
        Ok(_) => None,
        Err(error) => Some(error),
    };
    match serde_json::from_slice::<Verdict>(body) {
        Ok(verdict) if !verdict.success || status >= 400 => {
            Err(ClientError::refused(call, status, verdict.errors.unwrap_or_default()))
        }
        Ok(_) => {
            let why = misfit.map_or_else(String::new, |error| error.to_string());
            Err(ClientError::malformed(call, status, format!("the answer has an unknown shape: {why}")))
        }
        Err(_) => Err(ClientError::malformed(call, status, not_an_envelope(status, headers, body))),
    }
}

fn not_an_envelope(status: u16, headers: &HeaderMap, body: &[u8]) -> String {
    if let (300..=399, Some(to)) = (status, text_of(headers, "location")) {
        return format!("the API's address leads on to {to}; use that one");
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "the answer is empty".into() } else { format!("the answer is not JSON: {text}") }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `Retry-After` in seconds, or the SDKs' finer `Retry-After-Ms`. A date is left to our own back-off.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    if let Some(millis) = text_of(headers, "retry-after-ms").and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let seconds = text_of(headers, RETRY_AFTER.as_str())?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn should_retry(headers: &HeaderMap) -> Option<bool> {
    text_of(headers, "x-should-retry")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Option<Vec<String>>, ClientError> {
        read_envelope("GET x", status, &HeaderMap::new(), body.as_bytes()).map(|answer| answer.result)
    }

    #[test]
    fn envelopes_are_read_whatever_the_order_and_the_extras() {
        let body = r#"{"result":["a"],"success":true,"errors":[],"messages":["x"],"result_info":{"page":1}}"#;
        assert_eq!(read(200, body).unwrap(), Some(vec!["a".to_owned()]));
        assert_eq!(read(200, r#"{"success":true,"errors":null,"result":null}"#).unwrap(), None);
        assert_eq!(read(204, "").unwrap(), None);
    }

    #[test]
    fn failures_are_told_by_the_envelope_and_not_by_the_status() {
        let body = r#"{"result":null,"success":false,"errors":[{"code":8000007,"message":"Gone."}]}"#;
        assert_eq!(read(200, body).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(
            read(500, r#"{"success":true,"result":null}"#).unwrap_err().kind(),
            ErrorKind::ServerFault
        );
    }

    #[test]
    fn what_is_no_envelope_is_shown_in_part() {
        let error = read(200, "<html>\n  hello").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert_eq!(error.to_string(), "the answer is not JSON: <html> hello [status 200] (GET x)");
        let shape = read(200, r#"{"success":true,"result":{}}"#).unwrap_err();
        assert!(shape.to_string().starts_with("the answer has an unknown shape: "), "{shape}");
    }
}

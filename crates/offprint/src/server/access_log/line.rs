//! One line: begun when the request comes, filled when it is answered, written when the body has ended.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, SecondsFormat};
use http::header::{CONTENT_ENCODING, HOST, HeaderName, REFERER, USER_AGENT};
use http::{HeaderMap, Request, Response, Version};
use offprint_edge::CacheOutcome;
use offprint_model::time::Timestamp;
use offprint_store::Clock;
use serde::Serialize;

use super::writer::Writer;
use crate::server::metrics::Surface;

/// A client's text is cut after so many bytes: the queue is bounded in lines, so lines have to be as well.
const TEXT_BYTES_MAX: usize = 2048;
/// What lines need as a rule.
const LINE_BYTES_USUAL: usize = 512;

/// What is behind one of these in a path is a secret (Pages API, "Deploy hooks" and "tail").
const SECRET_AFTER: [&str; 2] = ["/deploy_hooks/", "/pages/tails/"];

/// A line in the making. It is put into the queue when this is dropped, with or without an answer: then the
/// client has gone before there was one.
pub(crate) struct Line {
    /// JSON members, braces around them.
    text: Vec<u8>,
    came: Instant,
    /// Bytes of the body so far.
    pub(crate) bytes: u64,
    writer: Arc<Writer>,
}

#[derive(Serialize)]
struct Asked<'r> {
    time: String,
    remote: SocketAddr,
    protocol: &'static str,
    method: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Cow<'r, str>>,
    path: Cow<'r, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<Cow<'r, str>>,
}

#[derive(Serialize)]
struct Answered<'a> {
    surface: &'static str,
    status: u16,
    cache: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_encoding: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Ended {
    bytes: u64,
    duration_us: u64,
}

impl Line {
    pub(super) fn begin<B>(
        request: &Request<B>,
        remote: SocketAddr,
        came: Instant,
        writer: Arc<Writer>,
    ) -> Self {
        let (uri, headers) = (request.uri(), request.headers());
        let host = uri.authority().map(|authority| cut(authority.as_str().into()));
        let asked = Asked {
            time: time(Clock::now()),
            remote,
            protocol: protocol(request.version()),
            method: request.method().as_str(),
            host: host.or_else(|| text_of(headers, HOST)),
            path: without_secret(cut(uri.path().into())),
            query: uri.query().map(|query| cut(query.into())),
            user_agent: text_of(headers, USER_AGENT),
            referer: text_of(headers, REFERER),
        };
        let mut line = Self { text: Vec::with_capacity(LINE_BYTES_USUAL), came, bytes: 0, writer };
        line.add(&asked);
        line
    }

    /// Notes the answer.
    pub(crate) fn answered<B>(&mut self, surface: Surface, cache: CacheOutcome, response: &Response<B>) {
        self.add(&Answered {
            surface: surface.as_str(),
            status: response.status().as_u16(),
            cache: cache.as_str(),
            content_encoding: text_of(response.headers(), CONTENT_ENCODING),
        });
    }

    /// Joins the members of an object to those that are there.
    fn add(&mut self, members: &impl Serialize) {
        let joint = self.text.len().checked_sub(1);
        self.text.truncate(joint.unwrap_or(0));
        let written = serde_json::to_writer(&mut self.text, members);
        debug_assert!(written.is_ok(), "writing plain members to memory cannot fail");
        if let Some(joint) = joint {
            self.text[joint] = b',';
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Ends with the body: what the kernel still holds of it is not waited for.
        let duration_us = u64::try_from(self.came.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.add(&Ended { bytes: self.bytes, duration_us });
        self.text.push(b'\n');
        self.writer.write(std::mem::take(&mut self.text));
    }
}

fn time(now: Timestamp) -> String {
    DateTime::from_timestamp_micros(now.as_micros())
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

/// A header's text. What is not UTF-8 in it is replaced; what a terminal might obey, JSON escapes.
fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<Cow<'_, str>> {
    Some(cut(String::from_utf8_lossy(headers.get(name)?.as_bytes())))
}

fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    Cow::Owned(format!("{}…", &text[..end]))
}

fn without_secret(path: Cow<'_, str>) -> Cow<'_, str> {
    let found = SECRET_AFTER.iter().find_map(|after| Some((path.split_once(after)?.0, after)));
    match found {
        Some((before, after)) => Cow::Owned(format!("{before}{after}…")),
        None => path,
    }
}

#[cfg(test)]
mod tests;

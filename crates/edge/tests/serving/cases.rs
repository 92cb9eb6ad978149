//! The recorded cases, and whether an answer is the expected one.
//!
//! `testdata/conformance/serving/README.md` describes the files; this is that description as a program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Headers whose absence is part of the expectation.
const WATCHED: [&str; 10] = [
    "location",
    "etag",
    "cache-control",
    "content-type",
    "access-control-allow-origin",
    "referrer-policy",
    "x-content-type-options",
    "x-robots-tag",
    "link",
    "set-cookie",
];

/// A site of the collection.
pub(crate) struct SiteSpec {
    pub(crate) name: String,
    pub(crate) public: PathBuf,
    pub(crate) hosts: Vec<String>,
    pub(crate) watch_headers: Vec<String>,
    pub(crate) requires: Vec<String>,
}

/// One request with its expected answer.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) site: String,
    pub(crate) is_uncertain: bool,
    json: Value,
}

/// An answer, collected.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/conformance/serving")
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

pub(crate) fn sites() -> Vec<SiteSpec> {
    let text = std::fs::read_to_string(directory().join("sites.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let site = |site: &Value| SiteSpec {
        name: site["name"].as_str().unwrap().to_owned(),
        public: directory().join(site["output_dir"].as_str().unwrap()),
        hosts: strings(&site["hosts"]),
        watch_headers: strings(&site["watch_headers"]),
        requires: strings(&site["requires"]),
    };
    json["sites"].as_array().unwrap().iter().map(site).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(directory().join("cases.jsonl")).unwrap();
    let case = |line: &str| {
        let json: Value = serde_json::from_str(line).unwrap();
        Case {
            id: json["id"].as_str().unwrap().to_owned(),
            site: json["site"].as_str().unwrap().to_owned(),
            is_uncertain: json["certainty"] == "low",
            json,
        }
    };
    text.lines().map(case).collect()
}

impl Case {
    fn host(&self) -> String {
        self.json["host"].as_str().map_or_else(|| format!("{}.pages.dev", self.site), str::to_owned)
    }

    pub(crate) fn path(&self) -> &str {
        self.json["path"].as_str().unwrap()
    }

    fn has_etag_placeholder(&self) -> bool {
        self.json["headers"].to_string().contains("{etag")
    }

    /// The request whose entity tag this case talks about.
    pub(crate) fn etag_request(&self) -> Option<Request<()>> {
        let path = self.json["etag_path"].as_str().unwrap_or(self.path());
        self.has_etag_placeholder().then(|| self.build(Method::GET, path, &BTreeMap::new()))
    }

    /// The request; `etag` is what [`Case::etag_request`] answered.
    pub(crate) fn request(&self, etag: Option<&str>) -> Request<()> {
        let etag = etag.unwrap_or("").trim_start_matches("W/");
        let mut headers = BTreeMap::new();
        for (name, value) in self.json["headers"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap().replace("{etag}", etag);
            headers.insert(name.clone(), value.replace("{etag_opaque}", etag.trim_matches('"')));
        }
        let method = Method::from_bytes(self.json["method"].as_str().unwrap().as_bytes()).unwrap();
        self.build(method, self.path(), &headers)
    }

    fn build(&self, method: Method, path: &str, headers: &BTreeMap<String, String>) -> Request<()> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.host())
            .header("x-forwarded-proto", "https");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(()).unwrap()
    }

    /// Whether the reference compressed this answer, which this server leaves to its stored variants.
    pub(crate) fn expects_compression(&self) -> bool {
        self.json["expect"]["headers"].get("content-encoding").is_some()
    }

    /// What is wrong with the answer; nothing if it is the expected one or one of the alternatives.
    pub(crate) fn complaints(&self, site: &SiteSpec, answer: &Answer) -> Vec<String> {
        let complaints = self.compare(&self.json["expect"], site, answer);
        let alternatives = self.json["alt"].as_array().into_iter().flatten();
        if complaints.is_empty()
            || alternatives.into_iter().any(|alt| self.compare(alt, site, answer).is_empty())
        {
            return Vec::new();
        }
        complaints
    }

    fn compare(&self, expect: &Value, site: &SiteSpec, answer: &Answer) -> Vec<String> {
        let mut complaints = Vec::new();
        let status = expect["status"].as_u64().unwrap();
        if u64::from(answer.status) != status {
            complaints.push(format!("status {} and not {status}", answer.status));
        }
        let lenient = strings(&self.json["lenient"]);
        let expected = expect["headers"].as_object().unwrap();
        for (name, value) in expected.iter().filter(|(name, _)| *name != "content-encoding") {
            let found = found(&answer.headers, name);
            if found.is_none() && lenient.contains(name) {
                continue;
            }
            if !header_agrees(name, value, found.as_ref()) {
                complaints.push(format!("{name} is {} and not {value}", found.unwrap_or_default()));
            }
        }
        let watched = WATCHED.iter().copied().chain(site.watch_headers.iter().map(String::as_str));
        for name in watched.filter(|name| !expected.contains_key(*name)) {
            if let Some(found) = found(&answer.headers, name) {
                complaints.push(format!("{name} is {found} and should be absent"));
            }
        }
        if !(300..400).contains(&status) {
            compare_body(expect, answer, &mut complaints);
        }
        complaints
    }
}

/// All lines of a header: a list for `set-cookie`, else joined.
fn found(headers: &HeaderMap, name: &str) -> Option<Value> {
    let lines: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
        .collect();
    match (lines.is_empty(), name) {
        (true, _) => None,
        (_, "set-cookie") => Some(lines.into()),
        _ => Some(lines.join(", ").into()),
    }
}

fn header_agrees(name: &str, expected: &Value, found: Option<&Value>) -> bool {
    let Some(found) = found else { return false };
    let (Some(expected), Some(text)) = (expected.as_str(), found.as_str()) else { return expected == found };
    match (name, expected) {
        ("etag", "strong") => text.starts_with('"'),
        ("etag", "weak") => text.starts_with("W/\""),
        ("etag", "any") => true,
        ("content-type", _) => without_blanks(expected) == without_blanks(text),
        _ => expected == text,
    }
}

fn without_blanks(content_type: &str) -> String {
    content_type.split(';').map(str::trim).collect::<Vec<_>>().join(";")
}

fn compare_body(expect: &Value, answer: &Answer, complaints: &mut Vec<String>) {
    if expect["body_len"].as_u64() != Some(answer.body.len() as u64) {
        complaints.push(format!("the body has {} bytes and not {}", answer.body.len(), expect["body_len"]));
    }
    let hash: String = Sha256::digest(&answer.body).iter().map(|byte| format!("{byte:02x}")).collect();
    if expect["body_sha256"].as_str() != Some(hash.as_str()) {
        complaints.push(format!(
            "the body is {:?}",
            String::from_utf8_lossy(&answer.body[..answer.body.len().min(80)])
        ));
    }
}

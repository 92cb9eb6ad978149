//! What a build consists of, and its names.

use std::fmt;

use offprint_model::asset::BlobHash;
use offprint_model::manifest::Manifest;

/// The name of a build's content: the hash of its site document. An unchanged redeployment has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteHash(BlobHash);

impl SiteHash {
    /// The site whose document is this blob.
    pub const fn of_document(blob: BlobHash) -> Self {
        Self(blob)
    }

    /// The blob that holds the document.
    pub const fn blob(&self) -> &BlobHash {
        &self.0
    }
}

/// Everything that is needed to serve a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteDocument {
    /// The assets.
    pub manifest: Manifest,
    /// The text of `_headers`.
    pub headers: Option<String>,
    /// The text of `_redirects`.
    pub redirects: Option<String>,
    /// The text of `_routes.json`.
    pub routes: Option<String>,
    /// The Worker.
    pub worker: Option<WorkerRef>,
    /// The bytes of `functions-filepath-routing-config.json`.
    pub functions_routing: Option<BlobHash>,
    /// The Web Analytics token to be put into pages.
    pub web_analytics_token: Option<String>,
}

/// Where the Worker of a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerRef {
    /// Its bytes.
    pub blob: BlobHash,
    /// What the bytes are.
    pub kind: WorkerKind,
}

/// In which form a Worker was uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerKind {
    /// `_worker.bundle`: a multipart body of modules, without its header.
    Bundle,
    /// `_worker.js`: one ES module.
    Script,
}

/// The first eight hex digits of a deployment's id: its own host label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShortId(pub u32);

impl ShortId {
    /// The short id in a host label or an id: exactly eight lower-case hex digits.
    pub fn parse(label: &str) -> Option<Self> {
        let legal = label.len() == 8 && label.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if legal { u32::from_str_radix(label, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

//! A site made ready to answer: its assets by path, its rules compiled, its headers prepared.

mod header_rules;
mod path_index;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;
use offprint_model::asset::{AssetPath, BlobHash};
use offprint_model::content_type;
use offprint_model::manifest::{Asset, Manifest};
use offprint_model::rules::redirects::{self, Redirects};
use offprint_store::SiteDocument;

pub(crate) use header_rules::SiteHeaders;
use path_index::PathIndex;
use worker::WorkerRoutes;

/// One site, immutable.
pub(crate) struct Site {
    assets: Box<[SiteAsset]>,
    index: PathIndex,
    redirects: Redirects,
    headers: SiteHeaders,
    worker: WorkerRoutes,
    memory_bytes: u64,
}

/// An asset with the headers it is served with.
pub(crate) struct SiteAsset {
    path: AssetPath,
    pub(crate) blob: BlobHash,
    pub(crate) size: u64,
    /// The strong entity tag.
    pub(crate) etag: HeaderValue,
    pub(crate) content_type: HeaderValue,
    pub(crate) is_html: bool,
}

impl Site {
    /// Compiles a site. What cannot be used of its rules was reported when it was deployed.
    pub(crate) fn new(document: SiteDocument) -> Self {
        let assets = prepare_assets(&document.manifest);
        let text_bytes = [&document.headers, &document.redirects, &document.routes]
            .iter()
            .map(|text| text.as_ref().map_or(0, String::len))
            .sum::<usize>();
        let path_bytes: usize = assets.iter().map(|asset| asset.path.as_str().len()).sum();
        // Compiled rules take a few times their text; entity tags have an allocation each.
        let memory_bytes = 1024 + assets.len() * (size_of::<SiteAsset>() + 88) + path_bytes + 8 * text_bytes;
        Self {
            index: PathIndex::new(assets.len(), |at| assets[at].path.as_str()),
            assets,
            redirects: Redirects::compile(
                &redirects::parse(document.redirects.as_deref().unwrap_or("")).rules,
            ),
            headers: SiteHeaders::compile(document.headers.as_deref().unwrap_or("")),
            worker: WorkerRoutes::of(document.worker.is_some(), document.routes.as_deref()),
            memory_bytes: memory_bytes as u64,
        }
    }

    /// The asset at exactly this decoded path.
    pub(crate) fn asset(&self, path: &str) -> Option<&SiteAsset> {
        self.index.find(path, |at| self.assets[at].path.as_str()).map(|at| &self.assets[at])
    }

    pub(crate) fn redirects(&self) -> &Redirects {
        &self.redirects
    }

    pub(crate) fn headers(&self) -> &SiteHeaders {
        &self.headers
    }

    /// Whether a request for this encoded path is the Worker's.
    pub(crate) fn reaches_worker(&self, path: &str) -> bool {
        self.worker.reach(path)
    }

    /// About how much memory the site takes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }
}

fn prepare_assets(manifest: &Manifest) -> Box<[SiteAsset]> {
    // A site has thousands of assets and a handful of types.
    let mut types: HashMap<Arc<str>, HeaderValue> = HashMap::new();
    manifest
        .iter()
        .map(|(path, asset)| {
            let content_type = types
                .entry(Arc::clone(&asset.content_type))
                .or_insert_with(|| content_type_header(&asset.content_type))
                .clone();
            SiteAsset {
                path: path.clone(),
                blob: asset.blob,
                size: asset.size,
                etag: etag(asset),
                is_html: asset.content_type.starts_with("text/html"),
                content_type,
            }
        })
        .collect()
}

fn content_type_header(content_type: &str) -> HeaderValue {
    HeaderValue::from_str(&content_type::for_serving(content_type))
        .unwrap_or(HeaderValue::from_static(content_type::OCTET_STREAM))
}

/// The key doubles as the tag. One that could not stand in a header gets the blob's name instead.
fn etag(asset: &Asset) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{}\"", asset.key))
        .or_else(|_| HeaderValue::from_str(&format!("\"{}\"", asset.blob.to_hex())))
        .unwrap_or(HeaderValue::from_static("\"\""))
}

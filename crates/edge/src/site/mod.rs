//! A site made ready to answer: its assets by path, its rules compiled, its headers prepared.

mod header_rules;
mod path_index;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderValue;
use offprint_model::asset::{AssetPath, BlobHash};
use offprint_model::content_type;
use offprint_model::manifest::{Asset, Manifest};
use offprint_model::rules::redirects::{self, Redirects};
use offprint_store::SiteDocument;
use offprint_store::blobs::COMPRESSED_BYTES_MIN;

use crate::assets::{Assets, Blob, BlobKey};
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
    /// Put into every page; see [`SiteAsset::is_html`].
    analytics_token: Option<Arc<str>>,
    memory_bytes: u64,
}

/// An asset with the headers it is served with.
pub(crate) struct SiteAsset {
    path: AssetPath,
    hash: BlobHash,
    /// Found at the first request.
    plain: OnceLock<Arc<Blob>>,
    /// The same with the Web Analytics snippet.
    measured: OnceLock<Arc<Blob>>,
    pub(crate) size: u64,
    /// The strong entity tag.
    pub(crate) etag: HeaderValue,
    /// The tag of compressed forms.
    pub(crate) weak_etag: HeaderValue,
    pub(crate) content_type: HeaderValue,
    pub(crate) is_html: bool,
    /// Whether there may be compressed variants.
    pub(crate) is_compressible: bool,
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
            analytics_token: document.web_analytics_token.map(Arc::from),
            memory_bytes: memory_bytes as u64,
        }
    }

    /// The asset at exactly this decoded path.
    pub(crate) fn asset(&self, path: &str) -> Option<&SiteAsset> {
        self.index.find(path, |at| self.assets[at].path.as_str()).map(|at| &self.assets[at])
    }

    /// What is known and held of an asset's bytes as this site sends them.
    pub(crate) fn blob<'a>(&self, assets: &Assets, asset: &'a SiteAsset) -> &'a Arc<Blob> {
        if !self.is_measured(assets, asset) {
            return asset.plain_blob(assets);
        }
        asset.measured.get_or_init(|| {
            assets.blob(BlobKey { hash: asset.hash, token: self.analytics_token.clone() }, asset.size)
        })
    }

    /// Whether the page gets the Web Analytics snippet.
    pub(crate) fn is_measured(&self, assets: &Assets, asset: &SiteAsset) -> bool {
        self.analytics_token.is_some() && asset.is_html && assets.is_held(asset.size)
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

impl SiteAsset {
    /// What is known and held of the asset's bytes as they were uploaded.
    pub(crate) fn plain_blob(&self, assets: &Assets) -> &Arc<Blob> {
        self.plain.get_or_init(|| assets.blob(BlobKey { hash: self.hash, token: None }, self.size))
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
            let (etag, weak_etag) = etags(asset);
            SiteAsset {
                path: path.clone(),
                hash: asset.blob,
                plain: OnceLock::new(),
                measured: OnceLock::new(),
                size: asset.size,
                etag,
                weak_etag,
                is_html: asset.content_type.starts_with("text/html"),
                is_compressible: asset.size >= COMPRESSED_BYTES_MIN
                    && content_type::is_compressible(&asset.content_type),
                content_type,
            }
        })
        .collect()
}

fn content_type_header(content_type: &str) -> HeaderValue {
    HeaderValue::from_str(&content_type::for_serving(content_type))
        .unwrap_or(HeaderValue::from_static(content_type::OCTET_STREAM))
}

/// The strong tag and the weak one, which share their text. The key doubles as the tag: its characters, all
/// visible ASCII, may stand in a header.
fn etags(asset: &Asset) -> (HeaderValue, HeaderValue) {
    let weak = Bytes::from(format!("W/\"{}\"", asset.key));
    let value =
        |text: Bytes| HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static("\"\""));
    (value(weak.slice(2..)), value(weak))
}

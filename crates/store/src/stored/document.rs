//! The site document: a version byte, then the content in postcard's form.
//!
//! The document is a blob like any other and its hash names the site, so its form is part of every name:
//! the same content must always give the same bytes. Assets are sorted by path, types by first use.

use std::collections::HashMap;
use std::sync::Arc;

use offprint_model::asset::{AssetKey, AssetPath, BlobHash};
use offprint_model::manifest::{Asset, Manifest};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::site::{SiteDocument, WorkerKind, WorkerRef};

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct DocumentV1<'a> {
    types: Vec<&'a str>,
    #[serde(borrow)]
    assets: Vec<AssetV1<'a>>,
    headers: Option<&'a str>,
    redirects: Option<&'a str>,
    routes: Option<&'a str>,
    worker: Option<WorkerV1>,
    functions_routing: Option<[u8; 32]>,
    web_analytics_token: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct AssetV1<'a> {
    path: &'a str,
    key: &'a str,
    blob: [u8; 32],
    size: u64,
    /// Index into the types.
    content_type: u32,
}

#[derive(Serialize, Deserialize)]
enum WorkerV1 {
    Bundle([u8; 32]),
    Script([u8; 32]),
}

/// The bytes of a document.
pub(crate) fn encode(document: &SiteDocument) -> Result<Vec<u8>> {
    let mut types = Vec::new();
    let mut index = HashMap::new();
    let mut assets = Vec::with_capacity(document.manifest.len());
    for (path, asset) in document.manifest.iter() {
        let content_type = *index.entry(&*asset.content_type).or_insert_with(|| {
            types.push(&*asset.content_type);
            types.len() - 1
        });
        let content_type = u32::try_from(content_type).unwrap_or(u32::MAX);
        let blob = *asset.blob.as_bytes();
        assets.push(AssetV1 {
            path: path.as_str(),
            key: asset.key.as_str(),
            blob,
            size: asset.size,
            content_type,
        });
    }
    let worker = document.worker.map(|worker| match worker.kind {
        WorkerKind::Bundle => WorkerV1::Bundle(*worker.blob.as_bytes()),
        WorkerKind::Script => WorkerV1::Script(*worker.blob.as_bytes()),
    });
    let stored = DocumentV1 {
        types,
        assets,
        headers: document.headers.as_deref(),
        redirects: document.redirects.as_deref(),
        routes: document.routes.as_deref(),
        worker,
        functions_routing: document.functions_routing.map(|blob| *blob.as_bytes()),
        web_analytics_token: document.web_analytics_token.as_deref(),
    };
    postcard::to_extend(&stored, vec![VERSION]).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The document in these bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<SiteDocument> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => decode_v1(rest),
        Some((other, _)) => Err(damaged(&format!("unknown version {other}"))),
        None => Err(damaged("it is empty")),
    }
}

fn decode_v1(bytes: &[u8]) -> Result<SiteDocument> {
    let (stored, rest): (DocumentV1<'_>, _) =
        postcard::take_from_bytes(bytes).map_err(|error| damaged(&error.to_string()))?;
    if !rest.is_empty() {
        return Err(damaged("something follows its end"));
    }
    let types: Vec<Arc<str>> = stored.types.into_iter().map(Arc::from).collect();
    let mut assets = Vec::with_capacity(stored.assets.len());
    for asset in stored.assets {
        let path = AssetPath::parse(asset.path).map_err(|error| damaged(error.0))?;
        let key = AssetKey::parse(asset.key).map_err(|error| damaged(error.0))?;
        let content_type =
            types.get(asset.content_type as usize).ok_or_else(|| damaged("a type is missing"))?;
        let blob = BlobHash::from_bytes(asset.blob);
        assets.push((path, Asset { key, blob, size: asset.size, content_type: content_type.clone() }));
    }
    Ok(SiteDocument {
        manifest: Manifest::new(assets).map_err(|error| damaged(&error.to_string()))?,
        headers: stored.headers.map(str::to_owned),
        redirects: stored.redirects.map(str::to_owned),
        routes: stored.routes.map(str::to_owned),
        worker: stored.worker.map(|worker| match worker {
            WorkerV1::Bundle(blob) => {
                WorkerRef { blob: BlobHash::from_bytes(blob), kind: WorkerKind::Bundle }
            }
            WorkerV1::Script(blob) => {
                WorkerRef { blob: BlobHash::from_bytes(blob), kind: WorkerKind::Script }
            }
        }),
        functions_routing: stored.functions_routing.map(BlobHash::from_bytes),
        web_analytics_token: stored.web_analytics_token.map(str::to_owned),
    })
}

fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(format!("a site document: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn asset() -> impl Strategy<Value = (AssetPath, Asset)> {
        (
            "[a-zö /]{0,8}[a-z.]{1,4}x",
            "[0-9a-f]{32}",
            any::<[u8; 32]>(),
            any::<u64>(),
            "[a-z]{1,3}/[a-z+]{0,3}",
        )
            .prop_filter_map("the path breaks a rule", |(path, key, blob, size, content_type)| {
                let path = AssetPath::parse(&path).ok()?;
                let key = AssetKey::parse(&key).ok()?;
                let blob = BlobHash::from_bytes(blob);
                Some((path, Asset { key, blob, size, content_type: content_type.into() }))
            })
    }

    fn site() -> impl Strategy<Value = SiteDocument> {
        let worker = (any::<[u8; 32]>(), any::<bool>()).prop_map(|(blob, bundle)| WorkerRef {
            blob: BlobHash::from_bytes(blob),
            kind: if bundle { WorkerKind::Bundle } else { WorkerKind::Script },
        });
        let texts = (option::of(".*"), option::of(".*"), option::of(".*"), option::of(".*"));
        (vec(asset(), 0..20), texts, option::of(worker), option::of(any::<[u8; 32]>())).prop_filter_map(
            "a path occurs twice",
            |(assets, (headers, redirects, routes, web_analytics_token), worker, routing)| {
                let manifest = Manifest::new(assets).ok()?;
                let functions_routing = routing.map(BlobHash::from_bytes);
                Some(SiteDocument {
                    manifest,
                    headers,
                    redirects,
                    routes,
                    worker,
                    functions_routing,
                    web_analytics_token,
                })
            },
        )
    }

    proptest! {
        #[test]
        fn a_document_comes_back_and_has_one_form(site in site()) {
            let bytes = encode(&site).unwrap();
            prop_assert_eq!(&decode(&bytes).unwrap(), &site);
            prop_assert_eq!(encode(&site.clone()).unwrap(), bytes);
        }

        #[test]
        fn damage_is_an_error_or_another_document_and_never_a_panic(
            site in site(), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = encode(&site).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = with;
            let _ = decode(&bytes);
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }

    #[test]
    fn what_follows_the_end_is_damage_and_other_versions_are_unknown() {
        let mut bytes = encode(&SiteDocument::default()).unwrap();
        bytes.push(0);
        assert!(decode(&bytes).is_err());
        bytes.pop();
        bytes[0] = 2;
        assert!(decode(&bytes).is_err() && decode(&[]).is_err());
    }

    fn version_1() -> SiteDocument {
        let asset = |path: &str, n: u8, content_type: &str| {
            let key = AssetKey::parse("e5e943f01929441dfbb0d4956a759fda").unwrap();
            let blob = BlobHash::from_bytes([n; 32]);
            (
                AssetPath::parse(path).unwrap(),
                Asset { key, blob, size: 1 << n, content_type: content_type.into() },
            )
        };
        let assets = vec![
            asset("/index.html", 1, "text/html"),
            asset("/a b/ö.css", 40, "text/css"),
            asset("/x", 3, "text/html"),
        ];
        SiteDocument {
            manifest: Manifest::new(assets).unwrap(),
            headers: Some("/*\n  X-Frame-Options: DENY\n".into()),
            redirects: Some("/old /new 301\n".into()),
            routes: None,
            worker: Some(WorkerRef { blob: BlobHash::from_bytes([9; 32]), kind: WorkerKind::Script }),
            functions_routing: Some(BlobHash::from_bytes([8; 32])),
            web_analytics_token: Some("token".into()),
        }
    }

    /// A document that was stored in the past: it must read the same for ever, and since its hash is its name,
    /// the same content must still have the same bytes.
    #[test]
    fn the_document_of_version_1_still_reads() {
        let stored = include_bytes!("../../tests/fixtures/site-v1.bin");
        assert_eq!(decode(stored).unwrap(), version_1());
        assert_eq!(encode(&version_1()).unwrap(), stored);
    }

    #[test]
    #[ignore = "makes the fixture; run once for each version"]
    fn make_the_fixture() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/site-v1.bin");
        std::fs::write(path, encode(&version_1()).unwrap()).unwrap();
    }
}

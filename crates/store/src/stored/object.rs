//! What is said of an object, as JSON.

use offprint_model::object::{Checksum, ChecksumAlgorithm, CustomMetadata, HttpMetadata, hex};
use serde::{Deserialize, Serialize};

use super::{from_json, to_json};
use crate::error::{Result, StoreError};

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Http::is_empty")]
    http: Http,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    custom: Vec<(String, String)>,
    /// Name of the algorithm and digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<(String, String)>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct Http {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_expiry: Option<u64>,
}

impl Http {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is said of an object.
pub(crate) struct ObjectMetadata {
    pub(crate) http: HttpMetadata,
    pub(crate) custom: CustomMetadata,
    pub(crate) checksums: Vec<Checksum>,
}

pub(crate) fn object_metadata_to_json(
    http: &HttpMetadata,
    custom: &CustomMetadata,
    checksums: &[Checksum],
) -> Result<String> {
    let http = http.clone();
    let stored = Stored {
        http: Http {
            content_type: http.content_type,
            content_language: http.content_language,
            content_disposition: http.content_disposition,
            content_encoding: http.content_encoding,
            cache_control: http.cache_control,
            cache_expiry: http.cache_expiry,
        },
        custom: custom.pairs().to_vec(),
        checksums: checksums
            .iter()
            .map(|sum| (sum.algorithm.as_str().to_owned(), hex(&sum.digest)))
            .collect(),
    };
    to_json(1, stored)
}

pub(crate) fn object_metadata_from_json(json: &str) -> Result<ObjectMetadata> {
    let stored: Stored = from_json(json)?;
    let http = stored.http;
    Ok(ObjectMetadata {
        http: HttpMetadata {
            content_type: http.content_type,
            content_language: http.content_language,
            content_disposition: http.content_disposition,
            content_encoding: http.content_encoding,
            cache_control: http.cache_control,
            cache_expiry: http.cache_expiry,
        },
        custom: CustomMetadata::stored(stored.custom),
        checksums: stored.checksums.iter().map(checksum).collect::<Result<_>>()?,
    })
}

fn checksum((name, digits): &(String, String)) -> Result<Checksum> {
    let damaged = || StoreError::Corrupt(format!("a stored checksum: {name} {digits}"));
    let algorithm = ChecksumAlgorithm::ALL.into_iter().find(|known| known.as_str() == name);
    let algorithm = algorithm.ok_or_else(damaged)?;
    let pair = |n| digits.get(n..n + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let digest: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(pair).collect();
    Ok(Checksum { algorithm, digest: digest.ok_or_else(damaged)? })
}

//! R2 buckets and objects, as the account-level API shows and takes them.

use std::collections::BTreeMap;

use offprint_model::object::{HttpMetadata, Object as Model};
use offprint_model::resource::{ResourceKind, ResourceName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{InvalidMember, Node, Read, parse};
use crate::time::Time;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "R2Bucket")]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub creation_date: Time,
    /// What its objects are stored as: always `Standard`.
    pub storage_class: &'static str,
}

/// Buckets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "R2Buckets")]
pub struct Buckets {
    /// By name.
    pub buckets: Vec<Bucket>,
}

/// An object of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "R2Object")]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// When it was uploaded.
    pub last_modified: Time,
    /// Its length in bytes.
    pub size: u64,
    /// What HTTP says of it.
    pub http_metadata: Http,
    /// What its uploader says of it.
    pub custom_metadata: BTreeMap<String, String>,
    /// What it is stored as: always `Standard`.
    pub storage_class: &'static str,
}

/// What HTTP says of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "R2HttpMetadata")]
pub struct Http {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<String>,
}

/// What an upload was stored as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "R2StoredObject")]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Which upload it is.
    pub version: String,
    /// Its length in bytes, a text as in the real service.
    pub size: String,
    /// When it was uploaded.
    pub uploaded: Time,
}

/// Where in a list of objects a page is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "R2ListInfo")]
pub struct ListInfo {
    /// What to ask for the next page with; empty: this is the last.
    pub cursor: String,
    /// Whether there is a next page.
    pub is_truncated: bool,
    /// Objects and prefixes asked for.
    pub per_page: usize,
    /// Prefixes up to and with the delimiter.
    pub delimited: Vec<String>,
}

impl From<&Model> for Object {
    fn from(object: &Model) -> Self {
        Self {
            key: object.key.as_str().to_owned(),
            etag: object.etag.clone(),
            last_modified: Time(object.uploaded),
            size: object.size,
            http_metadata: (&object.http).into(),
            custom_metadata: object.custom.pairs().iter().cloned().collect(),
            storage_class: "Standard",
        }
    }
}

impl From<&HttpMetadata> for Http {
    fn from(http: &HttpMetadata) -> Self {
        let http = http.clone();
        Self {
            content_type: http.content_type,
            content_language: http.content_language,
            content_disposition: http.content_disposition,
            content_encoding: http.content_encoding,
            cache_control: http.cache_control,
        }
    }
}

impl From<&Model> for Stored {
    fn from(object: &Model) -> Self {
        Self {
            key: object.key.as_str().to_owned(),
            etag: object.etag.clone(),
            version: object.version.clone(),
            size: object.size.to_string(),
            uploaded: Time(object.uploaded),
        }
    }
}

/// Reads the name from the body that makes a bucket. Where it is to be and what its objects are to be stored as is
/// accepted and makes no difference.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_creation(body: &[u8]) -> Read<Result<ResourceName, InvalidMember>> {
    let value = parse(body)?;
    let name = Node::root(&value).object()?.required("name", Node::text)?;
    let checked = ResourceName::parse(ResourceKind::R2, &name);
    // A name that breaks the rule has a code of its own.
    Ok(checked.map_err(|rule| InvalidMember::new("name", format!("is not valid: {rule}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_breaks_the_rule_is_told_from_no_name() {
        assert_eq!(read_creation(br#"{"name":"my-bucket"}"#).unwrap().unwrap().as_str(), "my-bucket");
        assert!(read_creation(br#"{"name":"My Bucket"}"#).unwrap().is_err());
        assert_eq!(read_creation(b"{}").unwrap_err().path, "name");
    }
}

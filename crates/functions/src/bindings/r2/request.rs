//! Requests, as workerd writes them: JSON in which large numbers are texts.

use base64_simd::STANDARD;
use http::{HeaderName, HeaderValue};
use offprint_model::object::{
    Checksum, ChecksumAlgorithm, Conditions, CustomMetadata, EtagRule, HttpMetadata, LIST_MAX, ObjectKey,
    ObjectRange, R2Refusal,
};
use offprint_resources::r2::{Put, position_of};
use offprint_store::{ObjectDescription, ObjectList};
use serde::{Deserialize, Deserializer};

pub(super) const REQUEST: HeaderName = HeaderName::from_static("cf-r2-request");
pub(super) const METADATA_SIZE: HeaderName = HeaderName::from_static("cf-r2-metadata-size");

/// A list with metadata is shorter, as in the real service.
const LIST_WITH_METADATA_MAX: usize = 100;
const DELETE_MAX: usize = 1000;

/// What is asked.
pub(super) enum Asked {
    Head {
        key: ObjectKey,
    },
    Get {
        key: ObjectKey,
        conditions: Conditions,
        range: Option<ObjectRange>,
        range_header: Option<String>,
    },
    List {
        list: ObjectList,
        /// Whether HTTP's metadata is wanted.
        http: bool,
        /// Whether the uploader's metadata is wanted.
        custom: bool,
    },
    Put {
        put: Put,
        checksum: Option<ChecksumAlgorithm>,
    },
    Delete {
        keys: Vec<ObjectKey>,
    },
    Begin {
        key: ObjectKey,
        http: HttpMetadata,
        custom: CustomMetadata,
    },
    Part {
        key: ObjectKey,
        upload: String,
        number: u32,
    },
    Complete {
        key: ObjectKey,
        upload: String,
        parts: Vec<(u32, String)>,
    },
    Abort {
        key: ObjectKey,
        upload: String,
    },
}

/// The request of a header.
pub(super) fn of_header(header: Option<&HeaderValue>) -> Result<Asked, R2Refusal> {
    let header = header.ok_or_else(|| invalid("The request is missing."))?;
    of_json(header.as_bytes())
}

/// The length of the JSON with which a body begins.
pub(super) fn metadata_size(header: Option<&HeaderValue>, max: usize) -> Result<usize, R2Refusal> {
    let size = header.and_then(|header| header.to_str().ok()).and_then(|text| text.parse().ok());
    size.filter(|size| *size <= max).ok_or_else(|| invalid("Metadata missing or invalid"))
}

/// The request of a text.
pub(super) fn of_json(json: &[u8]) -> Result<Asked, R2Refusal> {
    let raw: Raw =
        serde_json::from_slice(json).map_err(|error| invalid(&format!("Invalid request: {error}")))?;
    raw.read()
}

fn invalid(why: &str) -> R2Refusal {
    R2Refusal::InvalidArgument(why.to_owned())
}

#[derive(Deserialize)]
#[serde(tag = "method", rename_all = "camelCase")]
enum Raw {
    Head(RawObject),
    Get(RawGet),
    List(RawList),
    Put(Box<RawPut>),
    Delete(RawDelete),
    CreateMultipartUpload(RawDescription),
    UploadPart(RawPart),
    CompleteMultipartUpload(RawComplete),
    AbortMultipartUpload(RawUpload),
}

#[derive(Deserialize)]
struct RawObject {
    #[serde(default)]
    object: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawGet {
    #[serde(default)]
    object: String,
    #[serde(default)]
    range: Option<RawRange>,
    #[serde(default)]
    range_header: Option<String>,
    #[serde(default)]
    only_if: Option<RawConditions>,
}

#[derive(Deserialize)]
struct RawRange {
    #[serde(default, deserialize_with = "number")]
    offset: Option<u64>,
    #[serde(default, deserialize_with = "number")]
    length: Option<u64>,
    #[serde(default, deserialize_with = "number")]
    suffix: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConditions {
    #[serde(default)]
    etag_matches: Option<Vec<RawEtag>>,
    #[serde(default)]
    etag_does_not_match: Option<Vec<RawEtag>>,
    #[serde(default, deserialize_with = "number")]
    uploaded_before: Option<u64>,
    #[serde(default, deserialize_with = "number")]
    uploaded_after: Option<u64>,
    #[serde(default)]
    seconds_granularity: bool,
}

#[derive(Deserialize)]
struct RawEtag {
    #[serde(default)]
    value: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawList {
    #[serde(default, deserialize_with = "number")]
    limit: Option<u64>,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    delimiter: Option<String>,
    #[serde(default)]
    start_after: Option<String>,
    /// 0: HTTP's metadata, 1: the uploader's.
    #[serde(default)]
    include: Vec<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPut {
    #[serde(flatten)]
    description: RawDescription,
    #[serde(default)]
    only_if: Option<RawConditions>,
    /// In base64; the others are in hex.
    #[serde(default)]
    md5: Option<String>,
    #[serde(default)]
    sha1: Option<String>,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    sha384: Option<String>,
    #[serde(default)]
    sha512: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescription {
    #[serde(default)]
    object: String,
    #[serde(default)]
    custom_fields: Vec<RawField>,
    #[serde(default)]
    http_fields: Option<RawHttp>,
}

#[derive(Deserialize)]
struct RawField {
    #[serde(default)]
    k: String,
    #[serde(default)]
    v: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHttp {
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    content_language: Option<String>,
    #[serde(default)]
    content_disposition: Option<String>,
    #[serde(default)]
    content_encoding: Option<String>,
    #[serde(default)]
    cache_control: Option<String>,
    #[serde(default, deserialize_with = "number")]
    cache_expiry: Option<u64>,
}

#[derive(Deserialize)]
struct RawDelete {
    #[serde(default)]
    object: Option<String>,
    #[serde(default)]
    objects: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPart {
    #[serde(default)]
    object: String,
    #[serde(default)]
    upload_id: String,
    part_number: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawUpload {
    #[serde(default)]
    object: String,
    #[serde(default)]
    upload_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawComplete {
    #[serde(default)]
    object: String,
    #[serde(default)]
    upload_id: String,
    #[serde(default)]
    parts: Vec<RawPublished>,
}

#[derive(Deserialize)]
struct RawPublished {
    #[serde(default)]
    etag: String,
    #[serde(default)]
    part: u32,
}

impl Raw {
    fn read(self) -> Result<Asked, R2Refusal> {
        Ok(match self {
            Self::Head(raw) => Asked::Head { key: ObjectKey::parse(&raw.object)? },
            Self::Get(raw) => Asked::Get {
                key: ObjectKey::parse(&raw.object)?,
                conditions: conditions(raw.only_if)?,
                range: raw.range.and_then(RawRange::read),
                range_header: raw.range_header,
            },
            Self::List(raw) => raw.read()?,
            Self::Put(raw) => raw.read()?,
            Self::Delete(raw) => {
                let keys: Vec<String> = raw.object.into_iter().chain(raw.objects).collect();
                if keys.len() > DELETE_MAX {
                    return Err(invalid(&format!("More than {DELETE_MAX} keys cannot be deleted at once.")));
                }
                Asked::Delete {
                    keys: keys.iter().map(|key| ObjectKey::parse(key)).collect::<Result<_, _>>()?,
                }
            }
            Self::CreateMultipartUpload(raw) => {
                let (key, ObjectDescription { http, custom }) = raw.read()?;
                Asked::Begin { key, http, custom }
            }
            Self::UploadPart(raw) => Asked::Part {
                key: ObjectKey::parse(&raw.object)?,
                upload: raw.upload_id,
                number: raw.part_number,
            },
            Self::CompleteMultipartUpload(raw) => Asked::Complete {
                key: ObjectKey::parse(&raw.object)?,
                upload: raw.upload_id,
                parts: raw.parts.into_iter().map(|part| (part.part, part.etag)).collect(),
            },
            Self::AbortMultipartUpload(raw) => {
                Asked::Abort { key: ObjectKey::parse(&raw.object)?, upload: raw.upload_id }
            }
        })
    }
}

impl RawRange {
    fn read(self) -> Option<ObjectRange> {
        match (self.offset, self.length, self.suffix) {
            (None, None, None) => None,
            (_, _, Some(suffix)) => Some(ObjectRange::Suffix(suffix)),
            (offset, length, None) => Some(ObjectRange::From { offset: offset.unwrap_or_default(), length }),
        }
    }
}

impl RawList {
    fn read(self) -> Result<Asked, R2Refusal> {
        let limit = match self.limit {
            None => LIST_MAX,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=LIST_MAX).contains(limit))
                .ok_or(R2Refusal::InvalidMaxKeys)?,
        };
        let limit = if self.include.is_empty() { limit } else { limit.min(LIST_WITH_METADATA_MAX) };
        let start_after =
            self.start_after.filter(|key| !key.is_empty()).map(offprint_store::ObjectPosition::Key);
        let after = match self.cursor.filter(|cursor| !cursor.is_empty()) {
            None => start_after,
            Some(cursor) => Some(position_of(&cursor).ok_or_else(|| invalid("The cursor is not valid."))?),
        };
        let list = ObjectList {
            prefix: self.prefix.unwrap_or_default(),
            delimiter: self.delimiter.unwrap_or_default(),
            after,
            limit,
            bytes_max: usize::MAX,
        };
        Ok(Asked::List { list, http: self.include.contains(&0), custom: self.include.contains(&1) })
    }
}

impl RawPut {
    fn read(self) -> Result<Asked, R2Refusal> {
        let (key, description) = self.description.read()?;
        let hashes = [
            (ChecksumAlgorithm::Md5, self.md5.map(|text| STANDARD.decode_to_vec(text).ok())),
            (ChecksumAlgorithm::Sha1, self.sha1.map(|text| of_hex(&text))),
            (ChecksumAlgorithm::Sha256, self.sha256.map(|text| of_hex(&text))),
            (ChecksumAlgorithm::Sha384, self.sha384.map(|text| of_hex(&text))),
            (ChecksumAlgorithm::Sha512, self.sha512.map(|text| of_hex(&text))),
        ];
        let mut expected = None;
        for (algorithm, digest) in hashes {
            let Some(digest) = digest else { continue };
            let digest = digest.filter(|digest| digest.len() == algorithm.length());
            let digest = digest.ok_or_else(|| invalid("A checksum has another length."))?;
            expected = Some(Checksum { algorithm, digest });
        }
        let checksum = expected.as_ref().map(|sum| sum.algorithm);
        let put = Put { key, description, expected, conditions: conditions(self.only_if)? };
        Ok(Asked::Put { put, checksum })
    }
}

impl RawDescription {
    fn read(self) -> Result<(ObjectKey, ObjectDescription), R2Refusal> {
        let custom = self.custom_fields.into_iter().map(|field| (field.k, field.v)).collect();
        let http = self.http_fields.map(|http| HttpMetadata {
            content_type: http.content_type,
            content_language: http.content_language,
            content_disposition: http.content_disposition,
            content_encoding: http.content_encoding,
            cache_control: http.cache_control,
            cache_expiry: http.cache_expiry,
        });
        let description =
            ObjectDescription { http: http.unwrap_or_default(), custom: CustomMetadata::new(custom)? };
        Ok((ObjectKey::parse(&self.object)?, description))
    }
}

fn conditions(raw: Option<RawConditions>) -> Result<Conditions, R2Refusal> {
    let Some(raw) = raw else { return Ok(Conditions::default()) };
    let rules = |tags: Option<Vec<RawEtag>>| {
        let tags = tags.filter(|tags| !tags.is_empty());
        tags.map(|tags| tags.into_iter().map(RawEtag::read).collect::<Result<_, _>>()).transpose()
    };
    Ok(Conditions {
        etag_matches: rules(raw.etag_matches)?,
        etag_does_not_match: rules(raw.etag_does_not_match)?,
        uploaded_before: raw.uploaded_before,
        uploaded_after: raw.uploaded_after,
        by_seconds: raw.seconds_granularity,
    })
}

impl RawEtag {
    fn read(self) -> Result<EtagRule, R2Refusal> {
        match self.kind.as_str() {
            "wildcard" => Ok(EtagRule::Wildcard),
            "strong" => Ok(EtagRule::Strong(self.value)),
            "weak" => Ok(EtagRule::Weak(self.value)),
            other => Err(invalid(&format!("There are no entity tags of type {other}."))),
        }
    }
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    let pair = |n| text.get(n..n + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len()).step_by(2).map(pair).collect()
}

/// A number, or a text of one.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Number(u64),
        Text(String),
    }
    match Option::<Number>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Number::Number(number)) => Ok(Some(number)),
        Some(Number::Text(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

//! The three asset calls, and the upload token that they carry.

use std::borrow::Cow;
use std::fmt;

use offprint_model::asset::AssetKey;
use schemars::JsonSchema;
use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::json::{InvalidMember, Read};
use crate::text::borrowed;

/// `GET …/upload-token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UploadToken {
    /// The token for the asset calls.
    pub jwt: String,
}

/// The body of `check-missing` and `upsert-hashes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes<'a> {
    /// Asset keys; one may occur more than once.
    #[serde(borrow)]
    pub hashes: Vec<Cow<'a, str>>,
}

/// One element of the body of `upload`, which is an array of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetUpload<'a> {
    /// The asset key that the client claims.
    #[serde(borrow, deserialize_with = "borrowed")]
    pub key: Cow<'a, str>,
    /// The bytes, in base64.
    #[serde(borrow, deserialize_with = "borrowed")]
    pub value: Cow<'a, str>,
    /// What comes with them.
    #[serde(borrow)]
    pub metadata: AssetMetadata<'a>,
    /// Whether `value` is base64; otherwise it is the text itself.
    pub base64: bool,
}

/// What comes with an asset's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetMetadata<'a> {
    /// The media type, without charset.
    #[serde(borrow, rename = "contentType", deserialize_with = "borrowed")]
    pub content_type: Cow<'a, str>,
}

/// The answer of `upload`: the shape of a bulk write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UploadResult {
    /// How many were stored.
    pub successful_key_count: u64,
    /// Always empty: a call stores all or none.
    pub unsuccessful_keys: Vec<String>,
}

/// Reads the body of `check-missing` and `upsert-hashes`.
///
/// # Errors
/// The member that breaks a rule, or more keys than `keys_max`.
pub fn read_hashes(body: &[u8], keys_max: usize) -> Read<Vec<AssetKey>> {
    let Hashes { hashes } = serde_json::from_slice(body)
        .map_err(|error| InvalidMember::new("", format!("must be {{\"hashes\": [string…]}}: {error}")))?;
    if hashes.len() > keys_max {
        return Err(InvalidMember::new("hashes", format!("has more than {keys_max} keys")));
    }
    let key = |(n, text): (usize, &Cow<'_, str>)| {
        AssetKey::parse(text)
            .map_err(|rule| InvalidMember::new(format!("hashes[{n}]"), format!("is not valid: {rule}")))
    };
    hashes.iter().enumerate().map(key).collect()
}

/// Reads the body of `upload`, borrowing from it wherever JSON has no escapes.
///
/// # Errors
/// The element and member that break a rule, or more elements than `assets_max`.
pub fn read_uploads(body: &[u8], assets_max: usize) -> Read<Vec<AssetUpload<'_>>> {
    let mut reader = UploadsVisitor { assets_max, at: 0 };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = deserializer.deserialize_seq(&mut reader).and_then(|assets| {
        deserializer.end()?;
        Ok(assets)
    });
    read.map_err(|error| InvalidMember::new(format!("[{}]", reader.at), format!("is not valid: {error}")))
}

struct UploadsVisitor {
    assets_max: usize,
    at: usize,
}

impl<'de> Visitor<'de> for &mut UploadsVisitor {
    type Value = Vec<AssetUpload<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of {key, value, metadata: {contentType}, base64}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut assets = Vec::new();
        while self.at < self.assets_max {
            let Some(asset) = seq.next_element()? else { return Ok(assets) };
            assets.push(asset);
            self.at += 1;
        }
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(assets),
            Some(_) => Err(A::Error::custom(format!("more than {} assets in one call", self.assets_max))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_borrowed_from_the_body() {
        let body = br#"[{"key":"k","value":"QQ==","metadata":{"contentType":"text\/plain"},"base64":true}]"#;
        let assets = read_uploads(body, 10).unwrap();
        assert!(matches!(assets[0].value, Cow::Borrowed("QQ==")));
        assert!(matches!(&assets[0].metadata.content_type, Cow::Owned(t) if t == "text/plain"));
    }

    #[test]
    fn bad_uploads_name_the_element() {
        let good = r#"{"key":"k","value":"","metadata":{"contentType":""},"base64":true}"#;
        for (body, at, rule) in [
            (format!("[{good},{{}}]"), "[1]", "missing field `key`"),
            (format!("[{good},{good}"), "[2]", "EOF"),
            (format!("[{good},{good},{good}]"), "[2]", "more than 2 assets"),
            ("{}".to_owned(), "[0]", "expected an array"),
            (format!("[{good}]x"), "[1]", "trailing characters"),
        ] {
            let error = read_uploads(body.as_bytes(), 2).unwrap_err();
            assert_eq!(error.path, at, "{body}");
            assert!(error.rule.contains(rule), "{body}: {error}");
        }
    }

    #[test]
    fn hashes_are_checked_one_by_one() {
        let keys = read_hashes(br#"{"hashes":["a","b","a"],"x":1}"#, 3).unwrap();
        assert_eq!(keys.len(), 3);
        assert_eq!(read_hashes(br#"{"hashes":["a","b c"]}"#, 3).unwrap_err().path, "hashes[1]");
        assert_eq!(read_hashes(br#"{"hashes":["a","b"]}"#, 1).unwrap_err().path, "hashes");
        assert!(read_hashes(b"[]", 1).is_err());
    }
}

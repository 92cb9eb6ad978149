//! KV namespaces and their pairs, as the account-level API shows and takes them.

use std::collections::BTreeMap;

use offprint_model::kv::{InvalidKv, KvKey, METADATA_BYTES_MAX, VALUE_BYTES_MAX, expiry};
use offprint_model::resource::{ResourceKind, ResourceName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use crate::json::{InvalidMember, Node, Read, parse};

/// Pairs or keys of one bulk call.
pub const BULK_MAX: usize = 10_000;
/// Keys of one bulk read.
pub const BULK_GET_MAX: usize = 100;

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "KvNamespace")]
pub struct Namespace {
    /// 32 hex digits.
    pub id: String,
    /// For people.
    pub title: String,
    /// Whether keys in URLs may be percent-encoded.
    pub supports_url_encoding: bool,
}

/// A key of a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "KvKey")]
pub struct Key {
    /// The key.
    pub name: String,
    /// When its pair expires, in seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<u64>,
    /// What was put beside its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub metadata: Option<Box<RawValue>>,
}

/// What a bulk call did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "KvBulkResult")]
pub struct BulkResult {
    /// How many keys it changed.
    pub successful_key_count: usize,
    /// Keys that may be tried again; none, since a bulk call changes all or none.
    pub unsuccessful_keys: Vec<String>,
}

/// The values of a bulk read, `null` for a key without a pair.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "KvBulkValues")]
pub struct BulkValues {
    /// By their keys.
    pub values: BTreeMap<String, Value>,
}

/// A pair to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Its key.
    pub key: KvKey,
    /// Its value.
    pub value: Vec<u8>,
    /// Its metadata, JSON.
    pub metadata: Option<String>,
    /// When it expires, in seconds since the Unix epoch.
    pub expires: Option<u64>,
}

/// What a bulk read asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkGet {
    /// The keys.
    pub keys: Vec<KvKey>,
    /// Whether the values are JSON and not texts.
    pub json: bool,
    /// Whether metadata is asked for as well.
    pub with_metadata: bool,
}

/// JSON, as it was stored. What is none is left out.
pub fn raw(json: Option<String>) -> Option<Box<RawValue>> {
    json.and_then(|json| RawValue::from_string(json).ok())
}

/// Reads the title from the body that makes or renames a namespace.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_title(body: &[u8]) -> Read<ResourceName> {
    let value = parse(body)?;
    Node::root(&value).object()?.required("title", |node| {
        ResourceName::parse(ResourceKind::Kv, node.str()?)
            .map_err(|rule| node.refuse(format!("is not valid: {rule}")))
    })
}

/// Checks metadata, which is JSON of limited length; `null` is none.
///
/// # Errors
/// The rule that it breaks.
pub fn read_metadata(path: &str, json: &str) -> Read<Option<String>> {
    if json.len() > METADATA_BYTES_MAX {
        let rule = format!("has {} bytes, and {METADATA_BYTES_MAX} are the most", json.len());
        return Err(InvalidMember::new(path, rule));
    }
    match serde_json::from_str::<Value>(json) {
        Ok(Value::Null) => Ok(None),
        Ok(_) => Ok(Some(json.to_owned())),
        Err(_) => Err(InvalidMember::new(path, "must be JSON")),
    }
}

#[derive(Deserialize)]
struct RawPair {
    key: String,
    value: String,
    #[serde(default)]
    expiration: Option<Number>,
    #[serde(default)]
    expiration_ttl: Option<Number>,
    #[serde(default)]
    metadata: Option<Box<RawValue>>,
    #[serde(default)]
    base64: bool,
}

/// Reads the body of a bulk write.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_pairs(body: &[u8], now_s: u64) -> Read<Vec<Pair>> {
    let pairs: Vec<RawPair> = serde_json::from_slice(body).map_err(invalid)?;
    check_count(pairs.len(), BULK_MAX)?;
    pairs.into_iter().enumerate().map(|(n, pair)| pair.read(n, now_s)).collect()
}

impl RawPair {
    fn read(self, n: usize, now_s: u64) -> Read<Pair> {
        let refuse = |member: &str, rule: String| InvalidMember::new(format!("[{n}].{member}"), rule);
        let key = KvKey::parse(&self.key).map_err(|rule| refuse("key", format!("is not valid: {rule}")))?;
        let value = match self.base64 {
            true => base64_simd::STANDARD
                .decode_to_vec(self.value.as_bytes())
                .map_err(|_| refuse("value", "must be base64, as base64 says".into()))?,
            false => self.value.into_bytes(),
        };
        if value.len() > VALUE_BYTES_MAX {
            return Err(refuse("value", format!("is longer than {VALUE_BYTES_MAX} bytes")));
        }
        let (at, ttl) =
            (self.expiration.map(|at| at.to_string()), self.expiration_ttl.map(|n| n.to_string()));
        let expires = expiry(now_s, at.as_deref(), ttl.as_deref());
        let expires = expires.map_err(|rule| {
            let is_ttl = matches!(rule, InvalidKv::Ttl(_) | InvalidKv::ShortTtl(_));
            let member = if is_ttl { "expiration_ttl" } else { "expiration" };
            refuse(member, format!("is not valid: {}", rule.to_string().trim_end_matches('.')))
        })?;
        let metadata = self.metadata.map(|json| read_metadata(&format!("[{n}].metadata"), json.get()));
        Ok(Pair { key, value, metadata: metadata.transpose()?.flatten(), expires })
    }
}

/// Reads the body of a bulk deletion: keys, or objects whose `name` is one.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_keys(body: &[u8]) -> Read<Vec<KvKey>> {
    let value = parse(body)?;
    let root = Node::root(&value);
    let elements = root.elements()?;
    check_count(elements.len(), BULK_MAX)?;
    let read = |node: Node<'_>| match node.value() {
        Value::Object(_) => node.object()?.required("name", read_key),
        _ => read_key(&node),
    };
    elements.map(read).collect()
}

/// Reads the body of a bulk read.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_bulk_get(body: &[u8]) -> Read<BulkGet> {
    let value = parse(body)?;
    let object = Node::root(&value).object()?;
    let keys = object.required("keys", |node| {
        let elements = node.elements()?;
        check_count(elements.len(), BULK_GET_MAX)?;
        elements.map(|element| read_key(&element)).collect()
    })?;
    Ok(BulkGet {
        keys,
        json: object
            .optional("type", |node| node.one_of(&[("text", false), ("json", true)]))?
            .unwrap_or(false),
        with_metadata: object.optional("withMetadata", Node::boolean)?.unwrap_or(false),
    })
}

fn read_key(node: &Node<'_>) -> Read<KvKey> {
    KvKey::parse(node.str()?).map_err(|rule| node.refuse(format!("is not valid: {rule}")))
}

fn check_count(count: usize, max: usize) -> Read<()> {
    match count {
        0 => Err(InvalidMember::new("", "names no key")),
        _ if count > max => Err(InvalidMember::new("", format!("names more than {max} keys"))),
        _ => Ok(()),
    }
}

fn invalid(error: serde_json::Error) -> InvalidMember {
    InvalidMember::new("", format!("is not a list of pairs: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_texts_or_base64_with_options() {
        let body = br#"[{"key": "a", "value": "text"},
            {"key": "b", "value": "AQI=", "base64": true, "expiration_ttl": 60.0, "metadata": {"n": [1]}},
            {"key": "c", "value": "", "expiration": 5000, "metadata": null}]"#;
        let pairs = read_pairs(body, 1000).unwrap();
        let shown: Vec<_> =
            pairs.iter().map(|p| (p.key.as_str(), &p.value[..], p.metadata.as_deref(), p.expires)).collect();
        assert_eq!(
            shown,
            [
                ("a", &b"text"[..], None, None),
                ("b", &[1, 2], Some(r#"{"n": [1]}"#), Some(1060)),
                ("c", b"", None, Some(5000)),
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_pair_is_named() {
        for (body, path) in [
            ("{}", ""),
            ("[]", ""),
            (r#"[{"key": "a"}]"#, ""),
            (r#"[{"key": "", "value": ""}]"#, "[0].key"),
            (r#"[{"key": "a", "value": ""}, {"key": "..", "value": ""}]"#, "[1].key"),
            (r#"[{"key": "a", "value": "?", "base64": true}]"#, "[0].value"),
            (r#"[{"key": "a", "value": "", "expiration_ttl": 59}]"#, "[0].expiration_ttl"),
        ] {
            assert_eq!(read_pairs(body.as_bytes(), 1000).unwrap_err().path, path, "{body}");
        }
        let long = format!(r#"[{{"key": "a", "value": "", "metadata": "{}"}}]"#, "m".repeat(1023));
        assert_eq!(read_pairs(long.as_bytes(), 0).unwrap_err().path, "[0].metadata");
    }

    #[test]
    fn keys_may_be_objects_with_a_name() {
        let keys = read_keys(br#"["a", {"name": "b"}]"#).unwrap();
        assert_eq!(keys.iter().map(KvKey::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(read_keys(br#"["a", 7]"#).unwrap_err().path, "[1]");
        let many = serde_json::to_vec(&vec!["k"; BULK_MAX + 1]).unwrap();
        assert!(read_keys(&many).is_err());
        let asked = read_bulk_get(br#"{"keys": ["a"], "type": "json"}"#).unwrap();
        assert!(asked.json && !asked.with_metadata);
    }
}

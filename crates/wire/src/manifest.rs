//! The manifest of a deployment: a JSON object from asset path to asset key, in a form field.

use std::collections::HashSet;
use std::fmt;

use offprint_model::asset::{AssetKey, AssetPath};
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};

use crate::text::Text;

/// Why a manifest was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// Not a JSON object of strings.
    #[error("The manifest must be a JSON object from path to key: {0}.")]
    Json(String),
    /// A path that breaks a rule.
    #[error("The manifest's path {path:?} is not valid: {rule}.")]
    Path {
        /// The path as sent, cut when long.
        path: String,
        /// The rule.
        rule: &'static str,
    },
    /// A key that cannot be one.
    #[error("The manifest's key for {path:?} is not valid: {rule}.")]
    Key {
        /// The path as sent, cut when long.
        path: String,
        /// The rule.
        rule: &'static str,
    },
    /// A path that occurs twice, perhaps once with and once without the leading slash.
    #[error("The manifest names {path:?} more than once.")]
    Duplicate {
        /// The path, cut when long.
        path: String,
    },
    /// More entries than a deployment may have.
    #[error("The manifest has more than {files_max} files, the most that a deployment may have.")]
    TooMany {
        /// How many it may have.
        files_max: usize,
    },
}

/// Reads a manifest. It stops at the first entry that breaks a rule, so a hostile one costs no more than
/// `files_max` entries.
///
/// # Errors
/// See [`InvalidManifest`].
pub fn read(json: &[u8], files_max: usize) -> Result<Vec<(AssetPath, AssetKey)>, InvalidManifest> {
    let mut reader = Reader { files_max, refused: None };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let read = deserializer.deserialize_map(&mut reader).and_then(|assets| {
        deserializer.end()?;
        Ok(assets)
    });
    match (read, reader.refused) {
        (_, Some(refused)) => Err(refused),
        (Ok(assets), None) => Ok(assets),
        // Serde may repeat the text that it did not expect.
        (Err(error), None) => Err(InvalidManifest::Json(cut(&error.to_string()))),
    }
}

struct Reader {
    files_max: usize,
    /// Serde's errors are texts; ours is put here and any error is raised.
    refused: Option<InvalidManifest>,
}

impl<'de> Visitor<'de> for &mut Reader {
    type Value = Vec<(AssetPath, AssetKey)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from path to key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut assets = Vec::new();
        let mut seen = HashSet::new();
        while let Some(path) = map.next_key_seed(Text)? {
            let key = map.next_value_seed(Text)?;
            match entry(&path, &key).and_then(|entry| {
                if assets.len() == self.files_max {
                    return Err(InvalidManifest::TooMany { files_max: self.files_max });
                }
                if !seen.insert(entry.0.clone()) {
                    return Err(InvalidManifest::Duplicate { path: cut(entry.0.as_str()) });
                }
                Ok(entry)
            }) {
                Ok(entry) => assets.push(entry),
                Err(refused) => {
                    self.refused = Some(refused);
                    return Err(serde::de::Error::custom("refused"));
                }
            }
        }
        Ok(assets)
    }
}

fn entry(path: &str, key: &str) -> Result<(AssetPath, AssetKey), InvalidManifest> {
    let asset_path =
        AssetPath::parse(path).map_err(|rule| InvalidManifest::Path { path: cut(path), rule: rule.0 })?;
    let asset_key =
        AssetKey::parse(key).map_err(|rule| InvalidManifest::Key { path: cut(path), rule: rule.0 })?;
    Ok((asset_path, asset_key))
}

/// A text short enough for an error message.
fn cut(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        read(text.as_bytes(), 3).unwrap_err().to_string()
    }

    #[test]
    fn paths_get_their_leading_slash() {
        let assets = read(br#"{"index.html":"abc","/sub/\u00e4 #?%.css":"def"}"#, 3).unwrap();
        let paths: Vec<&str> = assets.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/index.html", "/sub/ä #?%.css"]);
        assert_eq!(read(b"{}", 3), Ok(vec![]));
    }

    #[test]
    fn tricks_are_refused_by_name_and_rule() {
        for (text, expected) in [
            (r#"{"/../a":"k"}"#, "\"/../a\" is not valid: an asset path has no empty, '.' or '..' segment"),
            (r#"{"/a\u0000":"k"}"#, "holds no NUL"),
            (r#"{"/a\\b":"k"}"#, "separated by '/'"),
            (r#"{"//a":"k"}"#, "no empty"),
            (r#"{"/a":""}"#, "key for \"/a\" is not valid: an asset key has"),
            (r#"{"/a":"k","a":"k"}"#, "names \"/a\" more than once"),
            (r#"{"a":"1","b":"1","c":"1","d":"1"}"#, "more than 3 files"),
            (r#"{"a":1}"#, "expected a string"),
            (r#"["a"]"#, "expected an object"),
            (r#"{"a":"1"}x"#, "trailing characters"),
            (r#"{"a":"1""#, "EOF"),
            ("", "EOF"),
        ] {
            assert!(refusal(text).contains(expected), "{text}: {}", refusal(text));
        }
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        let message = read(b"{\"/a\xff\":\"k\"}", 3).unwrap_err().to_string();
        assert!(message.contains("invalid unicode"), "{message}");
    }

    #[test]
    fn a_long_text_is_not_repeated_whole() {
        let message = refusal(&format!(r#"{{"/{}":"k"}}"#, "é".repeat(4096)));
        assert!(message.contains("2048 bytes") && message.len() < 600, "{message}");
        let message = refusal(&format!("{:?}", "x".repeat(4096)));
        assert!(message.contains("invalid type: string") && message.len() < 300, "{message}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}", path in "\\PC{0,20}") {
            let _ = read(text.as_bytes(), 3);
            let object = serde_json::json!({ path.clone(): "k" }).to_string();
            if let Ok(assets) = read(object.as_bytes(), 3) {
                proptest::prop_assert_eq!(assets[0].0.as_str().trim_start_matches('/'), path.trim_start_matches('/'));
            }
        }
    }
}

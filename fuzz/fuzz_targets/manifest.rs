//! The manifest of a deployment, as it comes from a client.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use offprint_model::asset::{ASSET_PATH_BYTES_MAX, AssetPath, BlobHash};
use offprint_model::manifest::{Asset, Manifest};
use offprint_wire::manifest::read;

const FILES_MAX: usize = 20;

fuzz_target!(|input: &[u8]| {
    let assets = match read(input, FILES_MAX) {
        Ok(assets) => assets,
        Err(error) => {
            // 200 characters of the path, escaped, and the words around them.
            assert!(error.to_string().len() < 200 * "\\u{10ffff}".len() + 200);
            return;
        }
    };
    assert!(assets.len() <= FILES_MAX);
    for (path, key) in &assets {
        let text = path.as_str();
        assert!(text.starts_with('/') && text.len() <= ASSET_PATH_BYTES_MAX);
        assert!(!text.contains(['\0', '\\']));
        assert!(text[1..].split('/').all(|segment| !matches!(segment, "" | "." | "..")));
        assert_eq!(AssetPath::parse(text).as_ref(), Ok(path));
        assert!(
            (1..=128).contains(&key.as_str().len()) && key.as_str().bytes().all(|b| b.is_ascii_graphic())
        );
    }

    let object: BTreeMap<&str, &str> =
        assets.iter().map(|(path, key)| (path.as_str(), key.as_str())).collect();
    assert_eq!(object.len(), assets.len(), "a path occurs once");
    let json = serde_json::to_vec(&object).expect("strings are JSON");
    let mut again = read(&json, FILES_MAX).expect("what was accepted is accepted again");
    let mut sorted = assets.clone();
    again.sort();
    sorted.sort();
    assert_eq!(again, sorted);

    let asset = |key| Asset { key, blob: BlobHash::of(b""), size: 0, content_type: "text/plain".into() };
    let entries = assets.iter().map(|(path, key)| (path.clone(), asset(key.clone()))).collect();
    let manifest = Manifest::new(entries).expect("a path occurs once");
    for (path, key) in &assets {
        assert_eq!(manifest.get(path.as_str()).map(|asset| &asset.key), Some(key));
    }
});

//! The body of an upload call, built by appending: base64 text is most of it, and goes straight in.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use offprint_model::asset::KeyHasher;
use offprint_model::content_type;

use super::bucket::{BUCKET_ASSETS_MAX, BUCKET_BYTES_MAX};
use super::error::DeployError;
use super::hash::PieceReader;
use super::{LocalAsset, walk};

/// What surrounds one asset's text, at the most: key, content type and the members' names.
const FRAME_BYTES_MAX: usize = 320;

/// What the body of any bucket takes at the most, single large files aside.
pub(crate) const LENGTH_USUAL: usize =
    (BUCKET_BYTES_MAX as usize).div_ceil(3) * 4 + BUCKET_ASSETS_MAX * FRAME_BYTES_MAX;

/// The bytes that a bucket's body may take.
pub(crate) fn length_max(bucket: &[LocalAsset]) -> usize {
    bucket.iter().map(|asset| (asset.size as usize).div_ceil(3) * 4 + FRAME_BYTES_MAX).sum()
}

/// Reads the files of a bucket again and encodes them into a buffer that may have been used before.
pub(crate) fn encode(root: &Path, bucket: &[LocalAsset], mut body: Vec<u8>) -> Result<Vec<u8>, DeployError> {
    body.clear();
    // All the same size, so that a buffer that was used before need not grow.
    body.reserve(length_max(bucket).max(LENGTH_USUAL));
    let mut reader = PieceReader::new();
    for asset in bucket {
        body.push(if body.is_empty() { b'[' } else { b',' });
        push_asset(&mut body, root, asset, &mut reader)?;
    }
    body.push(b']');
    Ok(body)
}

fn push_asset(
    body: &mut Vec<u8>,
    root: &Path,
    asset: &LocalAsset,
    reader: &mut PieceReader,
) -> Result<(), DeployError> {
    let path = walk::file_of(root, &asset.path);
    let file = File::open(&path);
    // The build may be emptying the folder under us.
    if matches!(&file, Err(error) if error.kind() == ErrorKind::NotFound) {
        return Err(DeployError::Changed(path));
    }
    let mut file = file.map_err(DeployError::io(&path))?;
    body.extend_from_slice(b"{\"key\":");
    push_json(body, asset.key.as_str());
    body.extend_from_slice(b",\"value\":\"");
    let mut hasher = KeyHasher::default();
    let mut size = 0;
    while let Some(piece) = reader.next(&mut file).map_err(DeployError::io(&path))? {
        size += piece.bytes as u64;
        // A file that grows without end must not take our memory along.
        if size > asset.size {
            return Err(DeployError::Changed(path));
        }
        hasher.update_base64(piece.text);
        body.extend_from_slice(piece.text);
    }
    if hasher.key(asset.path.extension()) != asset.key {
        return Err(DeployError::Changed(path));
    }
    body.extend_from_slice(b"\",\"metadata\":{\"contentType\":");
    push_json(body, content_type::of_path(asset.path.as_str()));
    body.extend_from_slice(b"},\"base64\":true}");
    Ok(())
}

/// Appends a text as a JSON string.
pub(crate) fn push_json(body: &mut Vec<u8>, text: &str) {
    let written: Result<(), serde_json::Error> = serde_json::to_writer(body as &mut dyn io::Write, text);
    debug_assert!(written.is_ok(), "writing a string to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::asset::AssetPath;
    use serde_json::{Value, json};
    use std::fs;

    fn asset(name: &str, bytes: &[u8]) -> LocalAsset {
        let path = AssetPath::parse(name).unwrap();
        let key = KeyHasher::of_bytes(bytes).key(path.extension());
        LocalAsset { path, key, size: bytes.len() as u64 }
    }

    #[test]
    fn a_body_is_what_wrangler_sends() {
        let root = tempfile::tempdir().unwrap();
        let large = vec![7; 300_001];
        fs::write(root.path().join("index.html"), "<h1>hi</h1>").unwrap();
        fs::write(root.path().join("empty"), "").unwrap();
        fs::write(root.path().join("l.bin"), &large).unwrap();
        let bucket = [asset("index.html", b"<h1>hi</h1>"), asset("empty", b""), asset("l.bin", &large)];
        let body = encode(root.path(), &bucket, b"used before".to_vec()).unwrap();
        assert!(body.len() <= length_max(&bucket));
        let sent: Vec<Value> = serde_json::from_slice(&body).unwrap();
        let first = json!({"key":"e5e943f01929441dfbb0d4956a759fda","value":"PGgxPmhpPC9oMT4=",
            "metadata":{"contentType":"text/html"},"base64":true});
        assert_eq!(sent[0], first);
        assert_eq!(sent[1]["value"], "");
        assert_eq!(sent[2]["value"], base64_simd::STANDARD.encode_to_string(&large));
        assert_eq!(sent[2]["metadata"]["contentType"], "application/octet-stream");
    }

    #[test]
    fn a_file_that_changed_since_it_was_hashed_is_told() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.txt");
        for content in [Some("another"), Some("the same and more"), Some("the sam"), None] {
            match content {
                Some(content) => fs::write(&file, content).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let error = encode(root.path(), &[asset("a.txt", b"the same")], Vec::new()).unwrap_err();
            assert!(matches!(&error, DeployError::Changed(path) if *path == file), "{error:?}");
        }
    }
}

//! The manifest: the immutable map from asset path to content of one build.

use std::sync::Arc;

use crate::asset::{AssetKey, AssetPath, BlobHash};

/// One asset: a path's content and how to serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The key the client claimed; it doubles as the entity tag.
    pub key: AssetKey,
    /// The bytes.
    pub blob: BlobHash,
    /// Length in bytes.
    pub size: u64,
    /// The media type that came with the upload, without charset.
    pub content_type: Arc<str>,
}

/// The assets of one build, sorted by path, each path once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest(Vec<(AssetPath, Asset)>);

/// Two entries name the same path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest names {0} more than once")]
pub struct DuplicatePath(pub AssetPath);

impl Manifest {
    /// Sorts the entries.
    ///
    /// # Errors
    /// The first path that occurs twice.
    pub fn new(mut assets: Vec<(AssetPath, Asset)>) -> Result<Self, DuplicatePath> {
        assets.sort_by(|a, b| a.0.cmp(&b.0));
        match assets.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(DuplicatePath(pair[0].0.clone())),
            None => Ok(Self(assets)),
        }
    }

    /// The asset at exactly this decoded path.
    pub fn get(&self, path: &str) -> Option<&Asset> {
        let index = self.0.binary_search_by(|(candidate, _)| candidate.as_str().cmp(path)).ok()?;
        Some(&self.0[index].1)
    }

    /// All entries, in path order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&AssetPath, &Asset)> {
        self.0.iter().map(|(path, asset)| (path, asset))
    }

    /// How many assets there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no asset at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> (AssetPath, Asset) {
        let asset = Asset {
            key: AssetKey::parse("k").unwrap(),
            blob: BlobHash::of(path.as_bytes()),
            size: 1,
            content_type: "text/plain".into(),
        };
        (AssetPath::parse(path).unwrap(), asset)
    }

    #[test]
    fn lookup_is_exact() {
        let manifest = Manifest::new(vec![entry("/b"), entry("/a"), entry("/a.html")]).unwrap();
        assert!(manifest.get("/a").is_some());
        assert!(manifest.get("/A").is_none());
        assert!(manifest.get("/a.htm").is_none());
    }

    #[test]
    fn a_path_occurs_once() {
        let twice = Manifest::new(vec![entry("/a"), entry("a")]);
        assert_eq!(twice.unwrap_err().to_string(), "the manifest names /a more than once");
    }
}

//! Buckets: which assets go up together.
//!
//! One bucket is one request. It should be large enough that the server can make many small files durable
//! with one sync, and small enough that few of them fit into our memory.

use std::collections::HashSet;

use super::LocalAsset;

/// Bytes of files in one bucket. A larger file has a bucket to itself.
pub(crate) const BUCKET_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Files in one bucket.
pub(crate) const BUCKET_ASSETS_MAX: usize = 1000;

/// One asset for each key, in the order of their paths. Equal files need to be sent once.
pub(crate) fn unique(assets: &[LocalAsset]) -> Vec<&LocalAsset> {
    let mut seen = HashSet::with_capacity(assets.len());
    assets.iter().filter(|asset| seen.insert(asset.key.as_str())).collect()
}

/// Deals the assets out, the largest first: what is left to the end is small and fills gaps.
pub(crate) fn buckets<'a>(assets: &[&'a LocalAsset]) -> Vec<Vec<&'a LocalAsset>> {
    let mut assets = assets.to_vec();
    assets.sort_by_key(|asset| std::cmp::Reverse(asset.size));
    let mut buckets = Vec::new();
    let mut current: Vec<&LocalAsset> = Vec::new();
    let mut bytes = 0;
    for asset in assets {
        let full = bytes + asset.size > BUCKET_BYTES_MAX || current.len() >= BUCKET_ASSETS_MAX;
        if full && !current.is_empty() {
            buckets.push(std::mem::take(&mut current));
            bytes = 0;
        }
        bytes += asset.size;
        current.push(asset);
    }
    if !current.is_empty() {
        buckets.push(current);
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::asset::{AssetKey, AssetPath};

    fn asset(n: usize, size: u64) -> LocalAsset {
        LocalAsset {
            path: AssetPath::parse(&format!("/{n}")).unwrap(),
            key: AssetKey::parse(&format!("k{n}")).unwrap(),
            size,
        }
    }

    #[test]
    fn buckets_hold_everything_once_and_keep_their_bounds() {
        let large = [BUCKET_BYTES_MAX * 3, BUCKET_BYTES_MAX, 1, 0];
        let sizes = (0..2500).map(|n| n % 7000).chain(large).enumerate();
        let assets: Vec<_> = sizes.map(|(n, size)| asset(n, size)).collect();
        let buckets = buckets(&assets.iter().collect::<Vec<_>>());
        let mut keys = HashSet::new();
        for bucket in &buckets {
            let bytes: u64 = bucket.iter().map(|a| a.size).sum();
            assert!(bucket.len() == 1 || bytes <= BUCKET_BYTES_MAX, "{bytes}");
            assert!(!bucket.is_empty() && bucket.len() <= BUCKET_ASSETS_MAX);
            keys.extend(bucket.iter().map(|a| a.key.as_str()));
        }
        assert_eq!(keys.len(), assets.len());
        assert_eq!(buckets.iter().map(Vec::len).sum::<usize>(), assets.len());
    }

    #[test]
    fn equal_files_go_up_once() {
        let mut twin = asset(1, 5);
        twin.path = AssetPath::parse("/twin").unwrap();
        let assets = [asset(1, 5), twin, asset(2, 5)];
        let keys: Vec<_> = unique(&assets).iter().map(|a| a.key.as_str()).collect();
        assert_eq!(keys, ["k1", "k2"]);
        assert!(buckets(&[]).is_empty());
    }
}

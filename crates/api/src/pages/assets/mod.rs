//! `/pages/assets/*`: the three calls that bring the files before a deployment names them.

pub(crate) mod check_missing;
mod decode;
pub(crate) mod upload;
pub(crate) mod upsert_hashes;

/// Longest body of `check-missing` and `upsert-hashes`: keys of 100 000 files and more.
const HASHES_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

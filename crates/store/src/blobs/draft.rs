//! A blob that is being written and whose length and hash nobody knows yet.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use offprint_model::asset::BlobHash;

use crate::error::{Result, StoreError};

/// Bytes on their way into the blob store. Dropped before it is kept, it leaves nothing behind.
pub struct BlobDraft {
    pub(super) file: File,
    /// Where the file is, if it has a name.
    pub(super) path: Option<PathBuf>,
    hasher: Box<blake3::Hasher>,
    length: u64,
}

impl BlobDraft {
    pub(super) fn new(file: File, path: Option<PathBuf>) -> Self {
        Self { file, path, hasher: Box::default(), length: 0 }
    }

    /// Adds what follows. Waits for the disk and hashes: call it on a thread for such work.
    ///
    /// # Errors
    /// `Io` when the disk fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        let written: io::Result<()> = self.file.write_all(bytes);
        written.map_err(StoreError::io(self.path.clone().unwrap_or_default()))
    }

    /// How much has been written.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The hash of what has been written.
    pub fn hash(&self) -> BlobHash {
        BlobHash::from_bytes(*self.hasher.finalize().as_bytes())
    }
}

impl Drop for BlobDraft {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

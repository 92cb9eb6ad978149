//! Bytes on their way out.

use std::collections::VecDeque;
use std::io::SeekFrom;

use bytes::{Bytes, BytesMut};
use offprint_model::asset::BlobHash;
use offprint_store::{Blobs, ObjectParts, StoreError};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::error::{ResourceError, Result};

const PIECE_BYTES: u64 = 128 << 10;

/// Reads some bytes of an object, in pieces.
pub struct ObjectReader {
    blobs: Blobs,
    /// Blobs, where to begin in each, and how much to read of it.
    left: VecDeque<(BlobHash, u64, u64)>,
    open: Option<(File, u64)>,
}

impl ObjectReader {
    pub(super) fn new(blobs: Blobs, parts: ObjectParts, offset: u64, length: u64) -> Self {
        let (mut start, end) = (0, offset + length);
        let mut left = VecDeque::new();
        for (hash, size) in parts.0 {
            let (from, to) = (offset.max(start), end.min(start + size));
            if from < to {
                left.push_back((hash, from - start, to - from));
            }
            start += size;
        }
        Self { blobs, left, open: None }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The bytes cannot be read: the object was deleted long ago, or the disk fails.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some((file, rest)) = &mut self.open
                && *rest > 0
            {
                let length = usize::try_from(PIECE_BYTES.min(*rest)).unwrap_or_default();
                let mut piece = BytesMut::zeroed(length);
                file.read_exact(&mut piece).await.map_err(ResourceError::io("a blob"))?;
                *rest -= length as u64;
                return Ok(Some(piece.freeze()));
            }
            let Some((hash, offset, length)) = self.left.pop_front() else { return Ok(None) };
            let (mut file, size) = self.blobs.open(&hash).await?;
            if size < offset + length {
                return Err(StoreError::Corrupt(format!("blob {hash:?} is too short")).into());
            }
            file.seek(SeekFrom::Start(offset)).await.map_err(ResourceError::io("a blob"))?;
            self.open = Some((file, length));
        }
    }
}

//! Bytes on their way in.

use bytes::Bytes;
use offprint_model::object::{Checksum, ChecksumAlgorithm, R2Refusal, UPLOAD_BYTES_MAX};
use offprint_store::BlobDraft;

use super::R2Error;
use super::digests::Digests;
use crate::error::ResourceError;
use crate::keeper::blocking;

/// So much is gathered before a thread is asked to hash and write it.
const GATHERED_BYTES: usize = 256 << 10;

/// Takes bytes in. Dropped before its end, it leaves nothing behind.
pub struct ObjectWriter {
    /// Empty only while a thread has it, or after one has failed.
    working: Option<Working>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    length: u64,
}

struct Working {
    draft: BlobDraft,
    digests: Digests,
}

impl ObjectWriter {
    pub(super) fn new(draft: BlobDraft, checksum: Option<ChecksumAlgorithm>) -> Self {
        let working = Some(Working { draft, digests: Digests::new(checksum) });
        Self { working, gathered: Vec::new(), gathered_bytes: 0, length: 0 }
    }

    /// Adds what follows.
    ///
    /// # Errors
    /// It becomes too large; the disk fails.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), R2Error> {
        self.length += piece.len() as u64;
        if self.length > UPLOAD_BYTES_MAX {
            return Err(R2Refusal::EntityTooLarge.into());
        }
        self.gathered_bytes += piece.len();
        self.gathered.push(piece);
        if self.gathered_bytes < GATHERED_BYTES { Ok(()) } else { self.flush().await }
    }

    async fn flush(&mut self) -> Result<(), R2Error> {
        let lost = || ResourceError::Corrupt("an upload goes on after it has failed".into());
        let mut working = self.working.take().ok_or_else(lost)?;
        let pieces = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let work = move || {
            for piece in pieces {
                working.draft.write(&piece)?;
                working.digests.update(&piece);
            }
            Ok(working)
        };
        self.working = Some(blocking(work).await?);
        Ok(())
    }

    /// All bytes, and their checksums, the MD5 first.
    pub(super) async fn finish(mut self) -> Result<(BlobDraft, Vec<Checksum>), R2Error> {
        self.flush().await?;
        let lost = || ResourceError::Corrupt("an upload ends after it has failed".into());
        let working = self.working.take().ok_or_else(lost)?;
        Ok((working.draft, working.digests.finish()))
    }
}

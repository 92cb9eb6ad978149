//! Sends the buckets: a few requests at once, within a budget of memory.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::Semaphore;

use super::bucket::buckets;
use super::error::DeployError;
use super::{Event, LocalAsset, Observer, body, joined};
use crate::api::uploads::UploadSession;

/// Requests under way at once. One more than wrangler: while one is answered, the next is being encoded.
const REQUESTS_MAX: usize = 4;
/// Bodies in memory at once, in bytes. One file of the largest size allowed fits.
const BODY_BYTES_MAX: usize = 40 * 1024 * 1024;

/// What the requests share.
struct Upload<'a> {
    session: &'a UploadSession,
    root: &'a Path,
    observer: &'a Observer,
    budget: Semaphore,
    /// Buffers of bodies that were sent. Fresh memory costs the kernel more time than filling it costs us.
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// Uploads assets that the server lacks.
pub(crate) async fn upload(
    session: &UploadSession,
    root: &Path,
    missing: &[&LocalAsset],
    observer: &Observer,
) -> Result<(), DeployError> {
    let budget = Semaphore::new(BODY_BYTES_MAX);
    let upload = Upload { session, root, observer, budget, buffers: Mutex::default() };
    let send = |bucket: Vec<&LocalAsset>| upload.send(bucket.into_iter().cloned().collect());
    futures_util::stream::iter(buckets(missing).into_iter().map(send))
        .buffer_unordered(REQUESTS_MAX)
        .try_for_each(|()| async { Ok(()) })
        .await
}

impl Upload<'_> {
    async fn send(&self, bucket: Vec<LocalAsset>) -> Result<(), DeployError> {
        // A single file may be larger than the budget where the server's limit was raised: then it goes alone.
        let cost = body::length_max(&bucket).min(BODY_BYTES_MAX);
        // The semaphore is never closed, so this cannot fail; were it to, only the bound would be lost.
        let _permit = self.budget.acquire_many(cost as u32).await.ok();
        let (assets, bytes) = (bucket.len(), bucket.iter().map(|asset| asset.size).sum());
        let (root, buffer) = (self.root.to_owned(), self.take_buffer());
        let encode = move || body::encode(&root, &bucket, buffer);
        let body = Bytes::from(joined(tokio::task::spawn_blocking(encode).await)?);
        self.session.upload(body.clone()).await?;
        self.keep_buffer(body);
        (self.observer)(Event::Uploaded { assets, bytes });
        Ok(())
    }

    fn take_buffer(&self) -> Vec<u8> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_default()
    }

    /// Larger buffers, made for single large files, are given back at once.
    fn keep_buffer(&self, body: Bytes) {
        // Nobody else holds the body any more, unless the answer came before all of it was sent.
        if let Ok(buffer) = body.try_into_mut()
            && buffer.capacity() <= body::LENGTH_USUAL
        {
            self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffer.into());
        }
    }
}

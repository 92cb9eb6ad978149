//! Joins the two sides of a connection that has left HTTP behind, such as a WebSocket's.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

/// Joins them as soon as both have changed over, in a task; `held` is kept until that ends.
pub(crate) fn join(one: OnUpgrade, other: OnUpgrade, held: impl Send + 'static) {
    tokio::spawn(async move {
        let (one, other) = match tokio::try_join!(one, other) {
            Ok(both) => both,
            Err(error) => return tracing::debug!(%error, "an upgrade did not come about"),
        };
        // Either side may break off at any time; that is how most of these connections end.
        let _ = copy_bidirectional(&mut TokioIo::new(one), &mut TokioIo::new(other)).await;
        drop(held);
    });
}

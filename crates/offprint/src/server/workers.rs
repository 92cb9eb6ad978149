//! Requests that go on to a site's Worker: bounded on the way, and counted apart.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use offprint_edge::WorkerTurn;

use super::body::{BoxError, Content};
use super::doors::{Answered, Doors, Peer, plain};
use super::metrics::Surface;

const TOO_LARGE: &str = "The request's body is larger than a Function of this server may be sent.\n";

/// Has the Worker answer, streaming both ways.
pub(super) async fn answer<B>(doors: &Doors, turn: WorkerTurn, peer: Peer, request: Request<B>) -> Answered
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let bytes_max = doors.worker_body_bytes_max;
    if announced(&request).is_some_and(|length| length > bytes_max) {
        return too_large();
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| {
        let body = body.map_err(Into::into).boxed_unsync();
        Bounded { body, bytes_left: bytes_max, is_over: Arc::clone(&is_over) }.boxed_unsync()
    });
    let served = doors.edge.run_worker(turn, peer.remote.ip(), peer.tls.copied(), request).await;
    // What the Worker made of half a body is of no interest.
    if is_over.load(Ordering::Relaxed) {
        return too_large();
    }
    Answered { surface: Surface::Function, cache: served.cache, response: served.response.map(Content::Site) }
}

fn announced<B>(request: &Request<B>) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large() -> Answered {
    Answered { surface: Surface::Function, ..plain(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE) }
}

/// A body that breaks when it gets too long.
struct Bounded {
    body: offprint_functions::Body,
    bytes_left: u64,
    is_over: Arc<AtomicBool>,
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            match self.bytes_left.checked_sub(length) {
                Some(left) => self.bytes_left = left,
                None => {
                    self.is_over.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(TOO_LARGE.into())));
                }
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! One request and its answer.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::response::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;

use super::early_hints;
use super::upload::Upload;
use crate::server::body::ServerBody;
use crate::server::date;
use crate::server::doors::{Doors, Peer};

/// Headers that speak of an HTTP/1 connection and must not be sent here (RFC 9113, 8.2.2).
const OF_A_CONNECTION: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Answers a request, unless the client takes it back first.
pub(super) async fn answer(
    doors: Arc<Doors>,
    peer: Peer,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    early_hints: bool,
) {
    let is_head = request.method() == Method::HEAD;
    let wants_hints = early_hints && early_hints::are_wanted(&request);
    let mut answer = pin!(doors.answer(request.map(Upload::new), peer));
    let answered = poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending => respond.poll_reset(cx).map(|_| None),
    });
    let Some(response) = answered.await else { return };
    if let Some(hints) = wants_hints.then(|| early_hints::of(&response)).flatten()
        && respond.send_informational(hints).is_err()
    {
        return;
    }
    let (mut head, body) = response.into_parts();
    let has_body = complete(&mut head, &body, is_head);
    // An error means that the stream or the connection is no more: there is nobody to tell.
    let Ok(stream) = respond.send_response(Response::from_parts(head, ()), !has_body) else { return };
    if has_body {
        send(body, stream).await;
    }
}

/// Makes the head what the protocol wants it to be; whether a body follows.
fn complete(head: &mut Parts, body: &ServerBody, is_head: bool) -> bool {
    for name in &OF_A_CONNECTION {
        head.headers.remove(name);
    }
    head.headers.entry(DATE).or_insert_with(date::now);
    let may_have_body = !is_head
        && !head.status.is_informational()
        && !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !may_have_body {
        return false;
    }
    if let Some(length) = body.size_hint().exact() {
        head.headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    !body.is_end_stream()
}

/// Sends a body, no faster than the client takes it.
async fn send(body: ServerBody, mut stream: SendStream<Bytes>) {
    let mut body = pin!(body);
    loop {
        let frame = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Some(frame)),
            Poll::Pending => stream.poll_reset(cx).map(|_| None),
        });
        let data = match frame.await {
            None => return,
            Some(None) => {
                let _ = stream.send_data(Bytes::new(), true);
                return;
            }
            // Better a broken stream than a short page.
            Some(Some(Err(_))) => return stream.send_reset(Reason::INTERNAL_ERROR),
            Some(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => data,
                Err(_) => continue,
            },
        };
        if body.is_end_stream() {
            // It is in memory already, shared with the cache as a rule: the connection can hold it as well as we.
            let _ = stream.send_data(data, true);
            return;
        }
        if send_piece(data, &mut stream).await.is_none() {
            return;
        }
    }
}

/// Sends a piece as the client makes room; `None` when it has gone.
async fn send_piece(mut data: Bytes, stream: &mut SendStream<Bytes>) -> Option<()> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        while stream.capacity() == 0 {
            poll_fn(|cx| stream.poll_capacity(cx)).await?.ok()?;
        }
        let length = stream.capacity().min(data.len());
        stream.send_data(data.split_to(length), false).ok()?;
    }
    Some(())
}

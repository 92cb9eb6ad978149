//! Answers: the envelope around a result.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use offprint_wire::envelope::{Envelope, ResultInfo};
use serde::Serialize;

use crate::query::Paging;

/// A success with a result.
pub(crate) struct Success<T>(pub(crate) T);

/// A success with nothing to say: `result` is `null`.
pub(crate) struct Done;

/// One page of a list.
pub(crate) struct PageOf<T> {
    pub(crate) items: Vec<T>,
    pub(crate) paging: Paging,
    pub(crate) total: u64,
}

/// One page of a list without page numbers.
pub(crate) struct InfoPage<T, I> {
    pub(crate) items: Vec<T>,
    /// Where it is.
    pub(crate) info: I,
}

impl<T> PageOf<T> {
    /// Cuts the page out of a list that is held whole.
    pub(crate) fn of(all: Vec<T>, paging: Paging) -> Self {
        let total = all.len() as u64;
        let skipped = usize::try_from(paging.skipped()).unwrap_or(usize::MAX);
        let per_page = usize::try_from(paging.per_page).unwrap_or(usize::MAX);
        Self { items: all.into_iter().skip(skipped).take(per_page).collect(), paging, total }
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &Envelope::success(self.0))
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &Envelope::<()>::done())
    }
}

impl<T: Serialize> IntoResponse for PageOf<T> {
    fn into_response(self) -> Response {
        let Paging { page, per_page } = self.paging;
        let info = ResultInfo::new(page, per_page, self.items.len() as u64, self.total);
        json(StatusCode::OK, &Envelope::success(self.items).with_info(info))
    }
}

impl<T: Serialize, I: Serialize> IntoResponse for InfoPage<T, I> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &Envelope::success(self.items).with_info(self.info))
    }
}

/// The only place that writes an envelope.
pub(crate) fn json<T: Serialize, I: Serialize>(status: StatusCode, envelope: &Envelope<T, I>) -> Response {
    match serde_json::to_vec(envelope) {
        Ok(body) => {
            let json = HeaderValue::from_static("application/json");
            (status, [(header::CONTENT_TYPE, json)], body).into_response()
        }
        // Our shapes have text keys and finite numbers; writing them does not fail.
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

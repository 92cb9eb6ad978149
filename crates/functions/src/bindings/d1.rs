//! A D1 database as workerd's module for it asks: `POST /query` and `POST /execute` with one query or a batch.
//!
//! Failures of SQL are answers with status 200, as the module reads them.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use offprint_resources::d1::{D1Error, ResultsOf};
use offprint_resources::{D1, Resources};
use offprint_store::{Clock, Resource};
use offprint_wire::d1::{self, Answer, Rows, read_queries};

use super::reply::{Failure, json, read};
use crate::body::Body;

/// A session sends its bookmark and wants a newer one.
const BOOKMARK: HeaderName = HeaderName::from_static("x-cf-d1-session-commit-token");

/// The longest batch.
const BODY_BYTES_MAX: usize = 32 << 20;

/// Answers a request for a database.
pub(super) async fn answer(
    resources: &Resources,
    database: &Resource,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answer = match (&parts.method, parts.uri.path()) {
        (&Method::POST, "/query" | "/execute") => {
            let ran = run(resources.d1(), database, &parts, body).await;
            // The module reads no other status, and no reason phrase.
            ran.or_else(|failure| failed(failure.text))
        }
        // `dump()` is for a generation of databases that never was here.
        _ => Err(Failure::new(404, "Not Found")),
    };
    answer.unwrap_or_else(Response::from)
}

async fn run(d1: &D1, database: &Resource, parts: &Parts, body: Body) -> Result<Response<Body>, Failure> {
    let read = read(&parts.headers, body, BODY_BYTES_MAX, d1.memory()).await?;
    let Ok((bytes, _reserved)) = read else {
        return failed("The batch is longer than 32 MiB.".into());
    };
    let queries = match read_queries(&bytes) {
        Ok(queries) => queries,
        Err(invalid) => return failed(invalid.to_string()),
    };
    drop(bytes);
    let arrays = parts.uri.query().is_some_and(|query| query.contains("resultsFormat=ROWS_AND_COLUMNS"));
    let shape = if arrays { Rows::Arrays } else { Rows::Objects };
    let results = match d1.run(database, queries, ResultsOf::Queries).await {
        Ok(results) => results,
        Err(D1Error::Sql(text)) => return failed(text),
        Err(D1Error::Contents(error)) => return Err(error.into()),
    };
    let answers: Vec<Answer> = results.into_iter().map(|result| Answer::new(result, shape)).collect();
    let mut response = json(&answers)?;
    if parts.headers.get(BOOKMARK).is_some_and(|bookmark| !bookmark.is_empty()) {
        response.headers_mut().insert(BOOKMARK, bookmark()?);
    }
    Ok(response)
}

/// An answer that the module makes an exception of.
pub(super) fn failed(text: String) -> Result<Response<Body>, Failure> {
    json(&d1::Failure::new(text))
}

/// A bookmark: later ones sort behind earlier ones. There is one copy of a database, so every read sees at least what
/// a bookmark stands for.
fn bookmark() -> Result<HeaderValue, Failure> {
    HeaderValue::try_from(d1::bookmark(Clock::now())).map_err(|error| Failure::internal(&error))
}

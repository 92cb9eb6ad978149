//! `…/time_travel/…`: this server keeps no history of databases, and says so.

use offprint_wire::error_code::ErrorCode;

use crate::auth::{D1, InResource, Read, Write};
use crate::error::ApiError;

pub(crate) async fn bookmark(_: InResource<Read, D1>) -> ApiError {
    ErrorCode::D1NoTimeTravel.into()
}

pub(crate) async fn restore(_: InResource<Write, D1>) -> ApiError {
    ErrorCode::D1NoTimeTravel.into()
}

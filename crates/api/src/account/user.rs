//! `GET /user`: wrangler's `whoami` reads the e-mail address.

use axum::extract::State;
use offprint_wire::account::User;
use offprint_wire::error_code::ErrorCode;

use crate::answer::Success;
use crate::auth::Caller;
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn show(State(_): State<Ctx>, Caller(principal): Caller) -> Result<Success<User>> {
    let account = principal.accounts().first().ok_or(ErrorCode::Unauthorized)?;
    Ok(Success(User::new(account.as_str(), principal.email())))
}

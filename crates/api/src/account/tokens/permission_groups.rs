//! `GET /accounts/{account_id}/tokens/permission_groups`: the two that a token may have.

use offprint_wire::token::PermissionGroup;

use crate::answer::Success;
use crate::auth::{InAccount, Read};

pub(crate) async fn handle(_: InAccount<Read>) -> Success<[PermissionGroup; 2]> {
    Success([PermissionGroup::new(false), PermissionGroup::new(true)])
}

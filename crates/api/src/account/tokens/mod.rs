//! API tokens, in the shapes of Cloudflare's account-owned tokens.
//!
//! Two permissions exist, Pages Read and Pages Write; who may write may also make and revoke tokens.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod permission_groups;
pub(crate) mod revoke;
pub(crate) mod verify;

use std::borrow::Cow;

use offprint_store::{Clock, Permission, Token as StoredToken};
use offprint_wire::time::Time;
use offprint_wire::token::{Policy, Token};

fn shown(token: &StoredToken) -> Token {
    let expired = token.expires.is_some_and(|expires| expires <= Clock::now());
    let write = token.permission == Permission::Write;
    Token {
        id: token.id.to_string(),
        name: token.name.clone(),
        status: Cow::Borrowed(if expired { "expired" } else { "active" }),
        issued_on: Some(Time(token.created)),
        modified_on: Some(Time(token.created)),
        last_used_on: token.last_used.map(Time),
        expires_on: token.expires.map(Time),
        policies: vec![Policy::new(token.id.as_str(), token.account.as_str(), write)],
        value: None,
    }
}

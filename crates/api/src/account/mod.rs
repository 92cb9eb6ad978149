//! What clients ask before they come to Pages: who am I, and which accounts are there?

pub(crate) mod accounts;
pub(crate) mod memberships;
pub(crate) mod tokens;
pub(crate) mod user;

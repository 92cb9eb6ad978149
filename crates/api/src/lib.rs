//! The REST APIs. Knows neither how builds run nor how assets are served.
//!
//! In reading order: `state` is what the binary hands in; `front` is what happens to every request;
//! `routes` is the table of contents; `auth` says who may; `account`, `pages`, `kv`, `d1` and `r2` hold the endpoints, one
//! file each.

mod account;
mod answer;
mod auth;
mod body;
mod d1;
mod error;
mod front;
mod graphql;
mod kv;
mod linger;
mod memory;
mod pages;
mod query;
mod r2;
mod routes;
mod state;

pub use routes::router;
pub use state::{ApiState, ClientAddress, DomainCheck, Limits};

//! The REST APIs. Knows neither how builds run nor how assets are served.
//!
//! In reading order: `state` is what the binary hands in; `front` is what happens to every request;
//! `routes` is the table of contents; `auth` says who may; `account` and `pages` hold the endpoints of the Pages API, `kv`, `d1`
//! and `r2` those of what Functions keep, one file each; `deploys_api` is the Deploys API; `openapi` describes both.

mod account;
mod answer;
mod auth;
mod body;
mod d1;
mod deploys_api;
mod error;
mod front;
mod graphql;
mod kv;
mod linger;
mod memory;
mod openapi;
mod pages;
mod query;
mod r2;
mod routes;
mod sse;
mod state;

pub use routes::router;
pub use state::{ApiState, ClientAddress, DomainCheck, Limits};

//! The serde shapes and error codes of both APIs.
//!
//! What a client sends becomes a value of the model here, and a value of the model becomes what a client
//! reads. Knows neither the web framework nor the store. "Pages API" in the comments means Cloudflare's
//! API v4 for Pages, as its clients and recorded answers show it.

pub mod error_code;

pub mod envelope;
pub mod json;
pub mod time;
pub mod urls;

pub mod account;
pub mod asset;
pub mod build_config;
pub mod d1;
pub mod deploy_hook;
pub mod deployment;
pub mod deploys;
pub mod domain;
pub mod environment;
pub mod environment_request;
pub mod kv;
pub mod log;
pub mod manifest;
pub mod project;
pub mod project_request;
pub mod pull_request;
pub mod r2;
pub mod routes_json;
pub mod source;
pub mod source_access;
pub mod stage;
pub mod tail;
mod text;
pub mod token;
pub mod token_request;
pub mod webhook;
pub mod worker_bundle;
pub mod worker_configuration;

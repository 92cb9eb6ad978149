//! The router with a real store, one binary so that it links once.
//!
//! The pipeline does not run here: a test that needs a live deployment takes the job to its end itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod assets;
mod authentication;
mod builds;
mod d1;
mod deploy_hooks;
mod deployment_forms;
mod deployments;
mod domains;
mod envelopes;
mod extensions;
mod harness;
mod kv;
mod log_stream;
mod openapi;
mod projects;
mod pull_requests;
mod r2;
mod source;
mod tails;
mod tokens;
mod webhooks;

//! The Deploys API through the front door.

mod audit;
mod bad_input;
mod both_views;
mod builds;
mod idempotency;
mod keys;
mod lists;
mod openapi;
mod races;
mod refusals;
mod remote;
mod story;
mod streams;
mod webhooks;

//! The Deploys API through the front door.

mod both_views;
mod idempotency;
mod keys;
mod lists;
mod races;
mod refusals;
mod story;
mod streams;

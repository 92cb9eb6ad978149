//! The nouns and rules of Offprint.
//!
//! Pure: no IO, no async, no clock, no JSON, no SQL, no HTTP. What arrives here has been parsed; what
//! leaves is a value that keeps its promises.

pub mod accept_encoding;
pub mod asset;
pub mod config;
pub mod content_type;
pub mod d1;
pub mod deploy;
pub mod deployment;
pub mod encoding;
pub mod entity_tag;
pub mod fingerprint;
pub mod id;
pub mod kv;
pub mod listing;
pub mod manifest;
pub mod name;
pub mod object;
pub mod presets;
pub mod project;
pub mod push;
pub mod range;
pub mod request_path;
pub mod resolve;
pub mod resource;
pub mod rules;
pub mod secret;
pub mod source;
pub mod stages;
pub mod time;

//! The stored forms of values that outlive the program: JSON columns with a version `v`, and the site
//! document with a version byte.
//!
//! These mirror the model and are not the model: a change there must not change what is on disk unnoticed.

mod config;
pub(crate) mod document;
mod object;
mod project;
mod stages;

pub(crate) use config::{environment_from_json, environment_to_json};
pub(crate) use object::{ObjectMetadata, object_metadata_from_json, object_metadata_to_json};
pub(crate) use project::{build_config_from_json, build_config_to_json, source_from_json, source_to_json};
pub(crate) use stages::{stages_from_json, stages_to_json};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, StoreError};

/// A JSON column: its content and the version of its form.
#[derive(serde::Serialize, serde::Deserialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    content: T,
}

fn to_json<T: Serialize>(v: u32, content: T) -> Result<String> {
    serde_json::to_string(&Versioned { v, content }).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads a column whose only version so far is 1. A second version gets a `match` on the number here and a
/// pure function from the old form to the new.
fn from_json<T: DeserializeOwned>(json: &str) -> Result<T> {
    let versioned: Versioned<T> =
        serde_json::from_str(json).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    match versioned.v {
        1 => Ok(versioned.content),
        other => Err(StoreError::Corrupt(format!("unknown version {other} of a stored column"))),
    }
}

//! `/accounts/{account_id}/d1/database`: D1, as wrangler and the SDKs ask for it.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod link;
pub(crate) mod list;
pub(crate) mod query;
pub(crate) mod show;
pub(crate) mod time_travel;

use offprint_resources::d1::{D1Error, D1Info};
use offprint_store::Resource;
use offprint_wire::d1::{Database, ReadReplication};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::time::Time;

use crate::error::ApiError;

fn shown(resource: &Resource, info: Option<D1Info>) -> Database {
    Database {
        uuid: resource.id().to_string(),
        name: resource.name().to_string(),
        created_at: Time(resource.created()),
        version: "production",
        num_tables: info.map(|info| info.tables),
        file_size: info.map(|info| info.size),
        read_replication: ReadReplication { mode: "disabled" },
    }
}

impl From<D1Error> for ApiError {
    fn from(error: D1Error) -> Self {
        match error {
            D1Error::Sql(text) => Self::explained(ErrorCode::D1Failed, text),
            D1Error::Contents(error) => error.into(),
        }
    }
}

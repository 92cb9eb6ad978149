//! `/accounts/{account_id}/storage/kv/namespaces`: KV, as wrangler and the SDKs ask for it.

pub(crate) mod bulk;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod metadata;
pub(crate) mod rename;
pub(crate) mod show;
pub(crate) mod values;

use offprint_model::kv::InvalidKv;
use offprint_store::{Clock, Resource};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::kv::Namespace;

use crate::error::ApiError;

fn shown(resource: &Resource) -> Namespace {
    Namespace {
        id: resource.id().to_string(),
        title: resource.name().to_string(),
        supports_url_encoding: true,
    }
}

fn now_s() -> u64 {
    u64::try_from(Clock::now().as_micros() / 1_000_000).unwrap_or_default()
}

impl From<InvalidKv> for ApiError {
    fn from(invalid: InvalidKv) -> Self {
        let code = match invalid {
            InvalidKv::LongValue(_) => ErrorCode::KvValueTooLarge,
            _ => ErrorCode::KvInvalid,
        };
        Self::explained(code, invalid.to_string())
    }
}

//! `/accounts/{account_id}/r2/buckets`: R2, as wrangler and the SDKs ask for it.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod objects;
pub(crate) mod show;

use offprint_model::object::R2Refusal;
use offprint_resources::r2::R2Error;
use offprint_store::Resource;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::r2::Bucket;
use offprint_wire::time::Time;

use crate::error::ApiError;

fn shown(resource: &Resource) -> Bucket {
    Bucket {
        name: resource.name().to_string(),
        creation_date: Time(resource.created()),
        storage_class: "Standard",
    }
}

impl From<R2Refusal> for ApiError {
    fn from(refusal: R2Refusal) -> Self {
        let code = match refusal {
            R2Refusal::NoSuchBucket => ErrorCode::R2BucketNotFound,
            R2Refusal::NoSuchKey => ErrorCode::R2KeyNotFound,
            R2Refusal::BucketNotEmpty => ErrorCode::R2BucketNotEmpty,
            R2Refusal::MetadataTooLarge => ErrorCode::R2MetadataTooLarge,
            R2Refusal::InvalidObjectName => ErrorCode::R2InvalidObjectName,
            R2Refusal::PreconditionFailed => ErrorCode::R2PreconditionFailed,
            R2Refusal::InvalidRange => ErrorCode::R2InvalidRange,
            R2Refusal::EntityTooLarge => ErrorCode::R2EntityTooLarge,
            R2Refusal::BadDigest { .. } => ErrorCode::R2BadDigest,
            // What only multipart uploads can be refused for, which are no matter of this API.
            R2Refusal::EntityTooSmall
            | R2Refusal::InvalidMaxKeys
            | R2Refusal::NoSuchUpload
            | R2Refusal::InvalidPart
            | R2Refusal::InvalidArgument(_)
            | R2Refusal::BadUpload => ErrorCode::R2InvalidArgument,
        };
        Self::explained(code, refusal.to_string())
    }
}

impl From<R2Error> for ApiError {
    fn from(error: R2Error) -> Self {
        match error {
            R2Error::Refused(refusal) => refusal.into(),
            R2Error::Contents(error) => error.into(),
        }
    }
}

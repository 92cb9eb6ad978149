//! `GET …/r2/buckets/{bucket_name}`.

use offprint_wire::r2::Bucket;

use super::shown;
use crate::answer::Success;
use crate::auth::{InResource, R2, Read};

pub(crate) async fn handle(caller: InResource<Read, R2>) -> Success<Bucket> {
    Success(shown(&caller.resource))
}

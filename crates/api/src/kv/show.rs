//! `GET …/namespaces/{namespace_id}`.

use offprint_wire::kv::Namespace;

use super::shown;
use crate::answer::Success;
use crate::auth::{InResource, Kv, Read};

pub(crate) async fn handle(caller: InResource<Read, Kv>) -> Success<Namespace> {
    Success(shown(&caller.resource))
}

//! `POST …/projects/{project_name}/purge_build_cache`: nothing builds here yet, so there is no cache.

use crate::answer::Done;
use crate::auth::{InProject, Write};

pub(crate) async fn handle(_: InProject<Write>) -> Done {
    Done
}

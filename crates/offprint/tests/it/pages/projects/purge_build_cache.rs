//! `…/{project_name}/purge_build_cache`

use offprint_wire::error_code::ErrorCode;
use serde_json::Value;

use super::server_with_demo;
use crate::support::project;

#[tokio::test]
async fn purging_answers_null_with_and_without_a_body() {
    let (_server, api) = server_with_demo().await;
    let path = project("demo", "/purge_build_cache");
    assert_eq!(api.post(&path).ok().await, Value::Null);
    assert_eq!(api.post(&path).body("application/json", "").ok().await, Value::Null);
    let unknown = project("nothing", "/purge_build_cache");
    api.post(&unknown).refused(ErrorCode::ProjectNotFound).await;
}

//! API keys: their secrets, and how far they reach.

use serde_json::{Value, json};

use crate::support::{Site, TestServer, id, projects};
use offprint_wire::error_code::ErrorCode;

#[tokio::test]
async fn a_key_reaches_its_apps_and_no_further() {
    let server = TestServer::start().await;
    let (pages, api) = (server.api(), server.deploys().await);
    for name in ["mine", "other"] {
        pages.create_project(name).await;
        Site::page(name).deploy(&pages, name).await;
    }
    let app_of =
        async |handle: &str| api.get(&format!("/apps?handle={handle}")).await.ok()["data"][0].clone();
    let (mine, other) = (app_of("mine").await, app_of("other").await);
    let new = json!({ "name": "robot", "permission": "write", "appIds": [mine["id"]] });
    let made = api.post("/api-keys", new).await.made();
    assert_eq!(made["appIds"], json!([mine["id"]]));
    let key = api.with_key(made["secret"].as_str().unwrap());
    assert!(
        !api.get(&format!("/api-keys/{}", id(&made)))
            .await
            .ok()
            .to_string()
            .contains(made["secret"].as_str().unwrap())
    );

    assert_eq!(
        key.get("/apps").await.ok()["data"],
        json!([api.get(&format!("/apps/{}", id(&mine))).await.ok()])
    );
    for list in ["/deploys", "/builds"] {
        let seen = key.get(list).await.ok();
        assert_eq!(
            (&seen["pageInfo"]["total"], &seen["data"][0]["entityId"]),
            (&json!(1), &mine["id"]),
            "{list}"
        );
        let hidden = key.get(&format!("{list}?entity_id={}", id(&other))).await.ok();
        assert_eq!(hidden["data"], json!([]));
    }
    let parents = key.get("/events").await.ok();
    assert!(
        parents["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|event| event["parentId"] == mine["id"] || event["subjectId"] == mine["id"])
    );
    assert_eq!(key.get("/api-keys").await.ok()["data"], json!([]));
    key.get(&format!("/apps/{}", id(&other))).await.refused(404);
    key.patch(&format!("/apps/{}", id(&other)), json!({ "name": "x" })).await.refused(404);
    key.post("/deploys", json!({ "appId": other["id"] })).await.refused(404);
    key.post("/apps", json!({ "name": "third" })).await.refused(404);
    key.post("/api-keys", json!({ "name": "x", "permission": "write" })).await.refused(404);
    key.delete(&format!("/apps/{}", id(&mine))).await.refused(404);
    key.post("/deploys", json!({ "appId": mine["id"] })).await.made();
    server
        .bearer(made["secret"].as_str().unwrap())
        .get(&projects())
        .refused(ErrorCode::PermissionDenied)
        .await;

    api.delete(&format!("/api-keys/{}", id(&made))).await.ok();
    key.get("/apps").await.refused(401);
    let kinds = api.get(&format!("/events?subject_id={}", id(&made))).await.ok();
    let kinds: Vec<&Value> = kinds["data"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, [&json!("api_key.revoked"), &json!("api_key.created")]);
    assert!(!server.log().contains(made["secret"].as_str().unwrap()));
}

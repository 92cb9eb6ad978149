//! Custom domains: added, checked, active, removed.

use serde_json::{Value, json};

use crate::harness::Api;

const DOMAINS: &str = "/accounts/{a}/pages/projects/demo/domains";

#[tokio::test]
async fn a_local_domain_is_active_at_once() {
    let api = Api::start().await;
    api.project("demo").await;
    let wake = api.wake.clone();
    let mut added = api.writer().post(DOMAINS, &json!({"name": "WWW.shop.localhost"})).await.result();
    tokio::time::timeout(std::time::Duration::from_secs(1), wake.edge_woken()).await.unwrap();
    assert_eq!(added["id"], added["domain_id"]);
    for member in ["id", "domain_id", "created_on"] {
        added.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(
        added,
        json!({"name": "www.shop.localhost", "status": "active",
            "verification_data": {"status": "active"}, "validation_data": {"status": "active", "method": "http"},
            "certificate_authority": "google", "zone_tag": ""})
    );
    let project = api.reader().get("/accounts/{a}/pages/projects/demo").await.result();
    assert_eq!(project["domains"], json!(["demo.pages.localhost", "www.shop.localhost"]));
    let listed = api.reader().get(DOMAINS).await;
    assert_eq!(listed.json["result_info"]["total_count"], 1);
    assert_eq!(listed.result()[0]["name"], "www.shop.localhost");
}

#[tokio::test]
async fn a_domain_that_leads_elsewhere_is_pending_and_says_what_to_do() {
    let api = Api::start().await;
    api.project("demo").await;
    let added = api.writer().post(DOMAINS, &json!({"name": "www.nowhere.invalid"})).await.result();
    assert_eq!(
        (&added["status"], &added["verification_data"]["status"]),
        (&json!("pending"), &json!("pending"))
    );
    assert!(added["verification_data"]["error_message"].as_str().unwrap().contains("www.nowhere.invalid"));
    let path = format!("{DOMAINS}/www.nowhere.invalid");
    assert_eq!(api.writer().patch(&path, &json!({})).await.result()["status"], "pending");
    assert_eq!(api.reader().get(&path).await.result()["name"], "www.nowhere.invalid");
}

#[tokio::test]
async fn bad_domains_have_their_codes() {
    let api = Api::start().await;
    api.project("demo").await;
    for (body, expected) in [
        (json!({}), (400, 8_000_015)),
        (json!({"name": "*.example.com"}), (400, 8_000_015)),
        (json!({"name": "localhost"}), (400, 8_000_015)),
        (json!({"name": 1}), (400, 8_000_015)),
        (json!([]), (400, 8_000_006)),
        (json!({"name": "other.pages.localhost"}), (400, 8_100_014)),
    ] {
        assert_eq!(api.writer().post(DOMAINS, &body).await.refusal(), expected, "{body}");
    }
    assert_eq!(api.reader().get(DOMAINS).await.result(), json!([]));
    for path in ["www.example.com", "not_a_domain"] {
        assert_eq!(api.writer().get(&format!("{DOMAINS}/{path}")).await.refusal(), (404, 8_000_021));
        assert_eq!(api.writer().delete(&format!("{DOMAINS}/{path}")).await.refusal(), (404, 8_000_021));
    }
}

#[tokio::test]
async fn a_domain_is_added_once_and_active_in_one_project() {
    let api = Api::start().await;
    api.project("demo").await;
    api.project("other").await;
    let name = json!({"name": "shop.localhost"});
    api.writer().post(DOMAINS, &name).await.ok();
    assert_eq!(api.writer().post(DOMAINS, &name).await.refusal(), (400, 8_000_018));
    let elsewhere = api.writer().post("/accounts/{a}/pages/projects/other/domains", &name).await;
    if elsewhere.status.is_success() {
        assert_eq!(elsewhere.result()["status"], "pending");
    } else {
        assert_eq!(elsewhere.refusal(), (409, 8_100_013));
    }
}

#[tokio::test]
async fn a_project_with_domains_is_not_deleted() {
    let api = Api::start().await;
    api.project("demo").await;
    api.writer().post(DOMAINS, &json!({"name": "shop.localhost"})).await.ok();
    let project = "/accounts/{a}/pages/projects/demo";
    assert_eq!(api.writer().delete(project).await.refusal(), (400, 8_000_028));
    assert_eq!(api.writer().delete(&format!("{DOMAINS}/shop.localhost")).await.result(), Value::Null);
    api.writer().delete(project).await.ok();
}

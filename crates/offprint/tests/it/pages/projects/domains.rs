//! `…/{project_name}/domains`

use offprint_wire::error_code::ErrorCode;
use serde_json::json;

use super::server_with_demo;
use crate::support::{Site, project};

#[tokio::test]
async fn a_domain_is_added_listed_checked_again_and_deleted() {
    let (_server, api) = server_with_demo().await;
    let path = project("demo", "/domains");
    let www = project("demo", "/domains/www.example.com");
    let added = api.post(&path).json(&json!({ "name": "WWW.Example.com" })).ok().await;
    assert_eq!(added["name"], "www.example.com");
    assert!(["initializing", "pending"].contains(&added["status"].as_str().unwrap()), "{added}");
    assert_eq!(added["id"], added["domain_id"]);
    let list = api.get(&path).ok().await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(api.get(&www).ok().await["id"], added["id"]);
    assert_eq!(api.patch(&www).ok().await["id"], added["id"]);
    api.post(&path).json(&json!({ "name": "www.example.com" })).refused(ErrorCode::DomainExists).await;

    api.delete(&www).ok().await;
    api.get(&www).refused(ErrorCode::DomainNotFound).await;
    api.patch(&www).refused(ErrorCode::DomainNotFound).await;
    api.delete(&www).refused(ErrorCode::DomainNotFound).await;
}

#[tokio::test]
async fn a_domain_that_is_not_active_answers_nothing() {
    let (server, api) = server_with_demo().await;
    Site::page("live").deploy(&api, "demo").await;
    let added = api.post(&project("demo", "/domains")).json(&json!({ "name": "no-such-host.invalid-tld" }));
    added.ok().await;
    let page = server.site("no-such-host.invalid-tld", "/").await;
    assert_ne!(page.text().await.unwrap(), "live");
}

#[tokio::test]
async fn a_project_with_domains_is_not_deleted() {
    let (_server, api) = server_with_demo().await;
    api.post(&project("demo", "/domains")).json(&json!({ "name": "www.example.com" })).ok().await;
    api.delete(&project("demo", "")).refused(ErrorCode::DomainsRemain).await;
    api.delete(&project("demo", "/domains/www.example.com")).ok().await;
    api.delete(&project("demo", "")).ok().await;
}

#[tokio::test]
async fn illegal_domains_are_refused() {
    let (_server, api) = server_with_demo().await;
    let path = project("demo", "/domains");
    let long = format!("{}.com", "a".repeat(300));
    for name in ["", "localhost", "*.example.com", "a..b", "a_b.com", "example.c", "ä.com", "a b.com", &long]
    {
        api.post(&path).json(&json!({ "name": name })).refused(ErrorCode::InvalidDomain).await;
    }
    for name in ["pages.localhost", "demo.pages.localhost", "other.pages.localhost"] {
        api.post(&path).json(&json!({ "name": name })).refused(ErrorCode::DomainReserved).await;
    }
    assert_eq!(api.get(&path).ok().await, json!([]));
}

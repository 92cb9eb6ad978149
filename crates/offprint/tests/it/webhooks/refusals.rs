//! Calls that are not believed.

use offprint_wire::error_code::ErrorCode;

use super::{Wrong, event_of, forges};

#[tokio::test]
async fn a_bad_signature_is_refused() {
    let (server, forges) = forges().await;
    for forge in &forges {
        for name in ["push", "fork_pull_request", "branch_deleted", "other"] {
            let answer =
                forge.send_body(event_of(forge.kind, name), &forge.fixture(name), Wrong::Secret).await;
            answer.refused(ErrorCode::InvalidSignature);
        }
        assert_eq!(forge.deployments(&server).await.len(), 0, "{}", forge.kind);
    }
}

/// A call is known again by its body, which is signed, and by its id. GitLab signs nothing, and two of its bodies may
/// be alike; there it takes both.
#[tokio::test]
async fn a_replay_is_refused() {
    let (server, forges) = forges().await;
    for forge in &forges {
        let (event, body) = (event_of(forge.kind, "push"), forge.fixture("push"));
        forge.send_body(event, &body, Wrong::Delivery).await.ok();
        forge.send_body(event, &body, Wrong::Delivery).await.refused(ErrorCode::DeliveryReplayed);
        let with_new_id = forge.send_body(event, &body, Wrong::Nothing).await;
        if forge.kind == "gitlab" {
            with_new_id.ok();
        } else {
            with_new_id.refused(ErrorCode::DeliveryReplayed);
            let with_old_id = forge.send_body(event, &format!("{body}\n"), Wrong::Delivery).await;
            with_old_id.refused(ErrorCode::DeliveryReplayed);
        }
        let made = if forge.kind == "gitlab" { 2 } else { 1 };
        assert_eq!(forge.deployments(&server).await.len(), made, "{}", forge.kind);
    }
}

#[tokio::test]
async fn an_old_word_of_a_pull_request_is_refused() {
    let (_server, forges) = forges().await;
    for forge in &forges {
        let (event, body) = (event_of(forge.kind, "pull_request"), forge.fixture("fork_pull_request"));
        forge.send_body(event, &body, Wrong::Delivery).await.ok();
        forge.send_body(event, &body, Wrong::Delivery).await.refused(ErrorCode::DeliveryReplayed);
    }
}

#[tokio::test]
async fn another_repository_is_refused() {
    let (server, forges) = forges().await;
    for forge in &forges {
        for name in ["push", "fork_pull_request"] {
            let body = forge.fixture(name).replace("cedar/site", "cedar/other");
            let answer = forge.send_body(event_of(forge.kind, name), &body, Wrong::Nothing).await;
            answer.refused(ErrorCode::RepositoryMismatch);
        }
        assert_eq!(forge.deployments(&server).await.len(), 0, "{}", forge.kind);
    }
}

#[tokio::test]
async fn another_forge_is_refused() {
    let (_server, forges) = forges().await;
    for (n, forge) in forges.iter().enumerate() {
        let other = &forges[(n + 1) % 2];
        let call = forge.api.post(&forge.webhook).body("application/json", other.fixture("push"));
        let header = if n % 2 == 0 { "x-gitlab-event" } else { "x-github-event" };
        call.header(header, "push")
            .header("x-gitlab-token", &forge.secret)
            .refused(ErrorCode::InvalidWebhook)
            .await;
    }
}

#[tokio::test]
async fn a_payload_that_is_none_names_what_is_wrong() {
    let (_server, forges) = forges().await;
    for forge in &forges {
        let event = event_of(forge.kind, "push");
        for (body, expected) in [
            ("", "the body is not valid JSON"),
            ("[]", "the body must be an object"),
            ("{}", "ref is required"),
            ("{\"ref\":\"refs/heads/x\",\"after\":\"HEAD\"}", "after must be a commit's hash"),
        ] {
            let answer = forge.send_body(event, body, Wrong::Nothing).await;
            let message = answer.refused(ErrorCode::InvalidBody);
            assert!(message.contains(expected), "{} {body:?}: {message}", forge.kind);
        }
    }
}

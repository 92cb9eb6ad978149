//! Builds that print what they were trusted with.

use serde_json::json;

use super::Ground;

const SECRET: &str = "correct-horse-battery-staple";

#[tokio::test]
async fn a_printed_secret_is_masked() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let script = "echo \"it is $SECRET\"; printf %s \"$SECRET\" | base64; printf %s \"$SECRET\"; sleep 0.3; echo; \
        echo \"$PLAIN\"; env";
    let variables = json!({
        "SECRET": { "type": "secret_text", "value": SECRET },
        "PLAIN": { "type": "plain_text", "value": "no secret" },
    });
    let id = ground.begin_with("talker", script, variables).await;
    let built = ground.ended("talker", &id).await;
    let log = built.went_live();
    assert!(!log.contains(SECRET) && !log.contains("Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ"), "{log}");
    assert!(log.contains("it is ***") && log.contains("no secret"), "{log}");
    assert!(!ground.server.log().contains(SECRET));
}

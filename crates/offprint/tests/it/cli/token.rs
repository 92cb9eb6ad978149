//! `offprint token`.

use super::Shell;
use crate::support::TestServer;

#[tokio::test]
async fn a_new_token_is_printed_once_and_works_until_it_is_revoked() {
    let server = TestServer::start().await;
    let shell = Shell::at(&server);
    let made = shell.run(&["token", "create", "for CI"]).await;
    assert_eq!(made.out.lines().count(), 1, "the secret alone:\n{}", made.out);
    let secret = made.last_line().to_owned();
    let ci = Shell::at(&server).with("CLOUDFLARE_API_TOKEN", &secret);
    ci.run(&["project", "create", "demo"]).await;

    let table = shell.run(&["token", "list"]).await;
    table.says("for CI").says("active").says("never");
    let listed = shell.run(&["token", "list", "--json"]).await;
    assert!(!listed.out.contains(&secret) && !table.out.contains(&secret));
    let tokens = listed.json();
    let row = tokens.as_array().unwrap().iter().find(|token| token["name"] == "for CI").unwrap();
    let id = row["id"].as_str().unwrap();

    shell.fails(&["token", "revoke", id]).await.says("--yes");
    shell.run(&["token", "revoke", id, "--yes"]).await.says("Revoked");
    ci.fails(&["project", "list"]).await.says("check the API token");
    assert!(!server.log().contains(&secret), "a secret in the log");
}

#[tokio::test]
async fn a_token_that_may_only_read_cannot_deploy_and_is_told_why() {
    let server = TestServer::start().await;
    let shell = Shell::at(&server);
    shell.run(&["project", "create", "demo"]).await;
    let secret =
        shell.run(&["token", "create", "reader", "--permission", "read"]).await.last_line().to_owned();
    let reader = Shell::at(&server).with("CLOUDFLARE_API_TOKEN", &secret);
    reader.home.write("dist/index.html", "front");
    assert_eq!(reader.run(&["project", "list", "--json"]).await.json()[0]["name"], "demo");
    for arguments in [
        &["deploy", "dist", "--project", "demo"][..],
        &["project", "create", "other"],
        &["project", "delete", "demo", "--yes"],
        &["token", "create", "more"],
    ] {
        let said = reader.fails(arguments).await;
        assert!(said.err.contains("Pages Write"), "{arguments:?}: {}", said.err);
    }
}

#[tokio::test]
async fn a_token_says_when_it_ends() {
    let server = TestServer::start().await;
    let shell = Shell::at(&server);
    let made = shell.run(&["token", "create", "long", "--expires", "2999-01-01", "--json"]).await.json();
    assert!(made["expires_on"].as_str().unwrap().starts_with("2999-01-01T00:00:00"), "{made}");
    shell.fails(&["token", "create", "odd", "--expires", "soon"]).await;
    shell.fails(&["token", "revoke", "nothing", "--yes"]).await;
}

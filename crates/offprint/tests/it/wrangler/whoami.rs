//! `wrangler whoami`, and finding the account without being told.

use crate::support::{ACCOUNT, Release, TestServer};

async fn the_token_and_its_account_are_shown(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    wrangler.run(&["whoami"]).await.says(ACCOUNT);
}

async fn the_account_is_found_when_it_is_not_named(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    let ran = wrangler.run_with(&["pages", "project", "list"], &[("CLOUDFLARE_ACCOUNT_ID", "")], "").await;
    assert!(ran.success, "{}", ran.output);
    ran.says("demo.pages.localhost");
}

each_release! {
    the_token_and_its_account_are_shown
    the_account_is_found_when_it_is_not_named
}

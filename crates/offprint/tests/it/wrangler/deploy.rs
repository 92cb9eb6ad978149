//! `wrangler pages deploy`

use std::process::Command;

use offprint_wire::error_code::ErrorCode;

use crate::support::{Release, TestServer, Wrangler, project};

const DEPLOY: &[&str] = &["pages", "deploy", "site", "--project-name", "demo"];

/// A small site in `site/`.
fn write_site(wrangler: &Wrangler) {
    wrangler.directory.write("site/index.html", "<h1>one</h1>");
    wrangler.directory.write("site/about.html", "<h1>about</h1>");
    wrangler.directory.write("site/assets/app.js", "console.log(1)");
}

async fn a_second_deploy_uploads_only_what_changed(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    write_site(&wrangler);

    let first = wrangler.run(DEPLOY).await;
    assert_eq!(first.uploaded(), 3);
    let url = first.deployment()["url"].as_str().unwrap().to_owned();
    first.says("Deployment complete! Take a peek over at").says(&url);
    assert_eq!(first.event("pages-deploy")["url"], url);
    assert_eq!(first.event("pages-deploy-detailed")["environment"], "production");
    assert_eq!(server.page("demo.pages.localhost", "/").await, "<h1>one</h1>");

    let unchanged = wrangler.run(DEPLOY).await;
    assert_eq!(unchanged.uploaded(), 0);
    assert_ne!(unchanged.deployment()["id"], first.deployment()["id"]);

    wrangler.directory.write("site/index.html", "<h1>two</h1>");
    let changed = wrangler.run(DEPLOY).await;
    assert_eq!(changed.uploaded(), 1);
    assert_eq!(server.page("demo.pages.localhost", "/").await, "<h1>two</h1>");
    assert_eq!(server.page("demo.pages.localhost", "/about").await, "<h1>about</h1>");
    let old = server.site_at(&url, "/").await.text().await.unwrap();
    assert_eq!(old, "<h1>one</h1>", "a deployment's own address never changes");
}

async fn a_branch_deploys_to_a_preview_of_its_own(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    write_site(&wrangler);
    wrangler.run(DEPLOY).await;

    wrangler.directory.write("site/index.html", "<h1>preview</h1>");
    let preview = wrangler.run(&[DEPLOY, &["--branch", "Feat/X"]].concat()).await;
    assert_eq!(preview.deployment()["environment"], "preview");
    assert_eq!(server.page("feat-x.demo.pages.localhost", "/").await, "<h1>preview</h1>");
    assert_eq!(server.page("demo.pages.localhost", "/").await, "<h1>one</h1>");
}

async fn rules_files_and_commit_options_arrive(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    write_site(&wrangler);
    wrangler.directory.write("site/_headers", "/*\n  X-Frame-Options: DENY\n");
    wrangler.directory.write("site/_redirects", "/old /about 302\n");
    let commit = ["--commit-hash", "0123abc", "--commit-message", "größer", "--commit-dirty", "true"];
    let ran = wrangler.run(&[DEPLOY, &commit].concat()).await;
    assert_eq!(ran.uploaded(), 3, "rules are not assets");

    let metadata = &ran.deployment()["deployment_trigger"]["metadata"];
    assert_eq!(metadata["commit_hash"], "0123abc");
    assert_eq!(metadata["commit_message"], "größer");
    assert_eq!(metadata["commit_dirty"], true);
    let page = server.site("demo.pages.localhost", "/").await;
    assert_eq!(page.headers()["x-frame-options"], "DENY");
    let moved = server.site("demo.pages.localhost", "/old").await;
    assert_eq!((moved.status().as_u16(), moved.headers()["location"].to_str().unwrap()), (302, "/about"));
    let unknown = server.page("demo.pages.localhost", "/_headers").await;
    assert_eq!(unknown, "<h1>one</h1>", "rules are not served");
}

async fn the_commit_is_taken_from_git(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    write_site(&wrangler);
    let script = "git init -q -b feature && git add site && git -c user.name=a -c user.email=a@example.com \
                  commit -q -m 'the message' && git rev-parse HEAD";
    let git =
        Command::new("sh").args(["-c", script]).current_dir(wrangler.directory.path()).output().unwrap();
    let hash = String::from_utf8(git.stdout).unwrap();

    let ran = wrangler.run(DEPLOY).await;
    let metadata = &ran.deployment()["deployment_trigger"]["metadata"];
    assert_eq!(metadata["branch"], "feature");
    assert_eq!(metadata["commit_hash"], hash.trim());
    assert!(metadata["commit_message"].as_str().unwrap().starts_with("the message"));
    assert_eq!(ran.deployment()["environment"], "preview");
}

async fn odd_names_and_links_are_served_byte_for_byte(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    wrangler.directory.write("site/index.html", "front");
    wrangler.directory.write("site/ä b#c%41.txt", "odd");
    wrangler.directory.write("site/.well-known/hidden", [0, 159, 146, 150]);
    wrangler.directory.write("target.txt", "linked");
    std::os::unix::fs::symlink("../target.txt", wrangler.directory.path().join("site/link.txt")).unwrap();
    wrangler.run(DEPLOY).await;
    let host = "demo.pages.localhost";
    assert_eq!(server.page(host, "/%C3%A4%20b%23c%2541.txt").await, "odd");
    assert_eq!(server.page(host, "/link.txt").await, "linked");
    let hidden = server.site(host, "/.well-known/hidden").await.bytes().await.unwrap();
    assert_eq!(&hidden[..], [0, 159, 146, 150]);
}

async fn an_unknown_project_is_not_made_on_the_way(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    write_site(&wrangler);
    let ran = wrangler.try_run(DEPLOY).await;
    assert!(!ran.success);
    let asked = ran.calls.last().unwrap();
    assert_eq!(asked.answer["errors"][0]["code"], 8_000_007);
    server.api().get(&project("demo", "")).refused(ErrorCode::ProjectNotFound).await;
}

async fn a_wrong_token_is_told_apart_from_other_errors(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    write_site(&wrangler);
    let ran = wrangler.run_with(DEPLOY, &[("CLOUDFLARE_API_TOKEN", "wrong")], "").await;
    assert!(!ran.success);
    ran.says("[code: 10000]");
}

async fn a_site_with_an_empty_file_and_equal_files_deploys(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    write_site(&wrangler);
    wrangler.directory.write("site/empty.txt", "");
    wrangler.directory.write("site/twin.txt", "same");
    wrangler.directory.write("site/other.txt", "same");
    wrangler.run(DEPLOY).await;
    for (path, content) in [("/empty.txt", ""), ("/twin.txt", "same"), ("/other.txt", "same")] {
        assert_eq!(server.page("demo.pages.localhost", path).await, content);
    }
}

each_release! {
    a_second_deploy_uploads_only_what_changed
    a_branch_deploys_to_a_preview_of_its_own
    rules_files_and_commit_options_arrive
    the_commit_is_taken_from_git
    odd_names_and_links_are_served_byte_for_byte
    an_unknown_project_is_not_made_on_the_way
    a_wrong_token_is_told_apart_from_other_errors
    a_site_with_an_empty_file_and_equal_files_deploys
}

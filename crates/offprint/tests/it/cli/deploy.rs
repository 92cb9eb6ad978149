//! `offprint deploy`.

use std::os::unix::fs::symlink;

use offprint_wire::error_code::ErrorCode;
use serde_json::json;

use super::{HOST, Shell};
use crate::support::{Form, TestServer, asset_key, host_of, project};

/// A server with the project `demo`, and somebody in front of it with the folder `dist`.
async fn with_dist(files: &[(&str, &str)]) -> (TestServer, Shell) {
    with_dist_at(&[], files).await
}

/// The same, with further settings of the server.
async fn with_dist_at(settings: &[(&str, &str)], files: &[(&str, &str)]) -> (TestServer, Shell) {
    let server = TestServer::start_with(settings).await;
    server.api().create_project("demo").await;
    let shell = Shell::at(&server);
    for (path, content) in files {
        shell.home.write(&format!("dist/{path}"), content);
    }
    (server, shell)
}

const DEPLOY: [&str; 4] = ["deploy", "dist", "--project", "demo"];

#[tokio::test]
async fn the_first_deploy_uploads_everything_and_prints_the_url_last() {
    let (server, shell) = with_dist(&[("index.html", "front"), ("about.html", "about")]).await;
    let said = shell.run(&DEPLOY).await;
    said.says("2 of 2 files uploaded").says("Live in production");
    assert_eq!(said.out.lines().count(), 1, "the URL is the only answer:\n{}", said.out);
    // What it prints is live: no waiting here.
    assert_eq!(server.page(host_of(said.last_line()), "/").await, "front");
    assert_eq!(server.page(HOST, "/about").await, "about");
}

#[tokio::test]
async fn deploying_again_uploads_only_what_changed() {
    let (server, shell) = with_dist(&[("index.html", "front"), ("about.html", "about")]).await;
    shell.run(&DEPLOY).await;
    shell.run(&DEPLOY).await.says("Nothing to upload").says("0 of 2 files uploaded");
    shell.home.write("dist/index.html", "other");
    shell.run(&DEPLOY).await.says("1 of 2 files uploaded");
    server.shows(HOST, "other").await;
    assert_eq!(server.page(HOST, "/about").await, "about");
}

#[tokio::test]
async fn a_change_that_keeps_size_and_time_is_found_without_the_cache() {
    let (server, shell) = with_dist(&[("index.html", "one")]).await;
    shell.run(&DEPLOY).await;
    let path = shell.path().join("dist/index.html");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "two").unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    shell.run(&[&DEPLOY[..], &["--no-cache"]].concat()).await.says("1 of 1 file uploaded");
    server.shows(HOST, "two").await;
}

#[tokio::test]
async fn a_branch_makes_a_preview_and_leaves_production_alone() {
    let (server, shell) = with_dist(&[("index.html", "production")]).await;
    shell.run(&DEPLOY).await;
    shell.home.write("dist/index.html", "preview");
    let said = shell.run(&[&DEPLOY[..], &["--branch", "Try It/Ü"]].concat()).await;
    let alias = said.err.lines().find_map(|line| line.strip_prefix("Also at ")).expect("an alias");
    assert!(alias.starts_with("http://try-it"), "{alias}");
    server.shows(host_of(alias), "preview").await;
    said.says("Live in preview");
    assert_eq!(server.page(host_of(said.last_line()), "/").await, "preview");
    assert_eq!(server.page(HOST, "/").await, "production");
}

#[tokio::test]
async fn with_json_the_answer_is_json_and_nothing_else() {
    let (_server, shell) = with_dist(&[("index.html", "front"), ("empty.txt", "")]).await;
    let answer = shell.run(&[&DEPLOY[..], &["--json", "--branch", "main"]].concat()).await.json();
    assert_eq!(answer["assets"], 2);
    assert_eq!(answer["uploaded"], 2);
    assert_eq!(answer["uploaded_bytes"], 5);
    assert_eq!(answer["environment"], "production");
    assert_eq!(answer["project_name"], "demo");
    assert!(answer["url"].as_str().unwrap().contains(".demo.pages.localhost"), "{answer}");
}

#[tokio::test]
async fn a_project_that_is_not_there_is_named_with_the_command_that_makes_it() {
    let server = TestServer::start().await;
    let shell = Shell::at(&server);
    shell.home.write("dist/index.html", "front");
    let said = shell.fails(&DEPLOY).await;
    said.says("there is no project demo").says("`offprint project create demo`").says("--create");
    assert_eq!(said.out, "");
    assert_eq!(server.api().get(&project("demo", "")).send().await.status, 404);
}

#[tokio::test]
async fn with_create_the_project_is_made_and_serves_the_branch() {
    let server = TestServer::start().await;
    let shell = Shell::at(&server);
    shell.home.write("dist/index.html", "front");
    shell.run(&[&DEPLOY[..], &["--create", "--branch", "trunk"]].concat()).await.says("Live in production");
    server.shows(HOST, "front").await;
    assert_eq!(server.api().get(&project("demo", "")).ok().await["production_branch"], "trunk");
    // Where it exists already, the flag does nothing.
    shell.run(&[&DEPLOY[..], &["--create"]].concat()).await;
}

#[tokio::test]
async fn the_commit_is_asked_of_git_where_no_flag_says_it() {
    let (server, shell) = with_dist(&[("index.html", "front")]).await;
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", shell.path());
        command.args(["-c", "user.name=n", "-c", "user.email=n@example.test"]).args(arguments);
        let output = command.current_dir(shell.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet", "--initial-branch", "main"]);
    git(&["add", "dist"]);
    git(&["commit", "--quiet", "--message", "Grüße 🎉\n\nbody"]);
    shell.run(&DEPLOY).await;
    let deployments = server.api().get(&project("demo", "/deployments")).ok().await;
    let metadata = &deployments[0]["deployment_trigger"]["metadata"];
    assert_eq!((&metadata["branch"], &metadata["commit_dirty"]), (&json!("main"), &json!(false)));
    assert!(metadata["commit_message"].as_str().unwrap().starts_with("Grüße 🎉"), "{metadata}");
    assert_eq!(metadata["commit_hash"].as_str().unwrap().len(), 40);
    shell.home.write("dist/index.html", "changed");
    shell.run(&DEPLOY).await;
    let deployments = server.api().get(&project("demo", "/deployments")).ok().await;
    assert_eq!(deployments[0]["deployment_trigger"]["metadata"]["commit_dirty"], true);
}

#[tokio::test]
async fn names_that_need_care_in_a_url_are_served_byte_for_byte() {
    let names = [
        "a b.bin",
        "hash#tag.bin",
        "what?.bin",
        "100%.bin",
        "%41.bin",
        "a%2Fb.bin",
        "plus+and&equals=.bin",
        "quotes'\".bin",
        "grüße/日本語 🎉.bin",
        "e\u{301}.bin",
        "[x]{y}^z`|~.bin",
        "semi;colon:at@$!*(),.bin",
        ".well-known/x.bin",
        "no-extension",
    ];
    let (server, shell) = with_dist(&[]).await;
    let content = |n: usize| (0..=255).cycle().skip(n).take(1000).collect::<Vec<u8>>();
    for (n, name) in names.iter().enumerate() {
        shell.home.write(&format!("dist/{name}"), content(n));
    }
    shell.run(&DEPLOY).await;
    for (n, name) in names.iter().enumerate() {
        let response = server.site(HOST, &escaped(name)).await;
        assert_eq!(response.status(), 200, "{name}");
        assert!(response.bytes().await.unwrap() == content(n), "{name}");
    }
}

/// The path of a file in a URL, everything escaped that could be.
fn escaped(name: &str) -> String {
    let byte = |b: u8| match b {
        b'/' | b'.' | b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(b).to_string(),
        _ => format!("%{b:02X}"),
    };
    format!("/{}", name.bytes().map(byte).collect::<String>())
}

#[tokio::test]
async fn an_empty_file_and_one_of_twelve_mebibytes_arrive_whole() {
    let (server, shell) = with_dist(&[("empty.txt", "")]).await;
    let large: Vec<u8> =
        (0..12 * 1024 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    shell.home.write("dist/large.bin", &large);
    shell.run(&DEPLOY).await.says("2 of 2 files uploaded");
    let empty = server.site(HOST, "/empty.txt").await;
    assert_eq!((empty.status().as_u16(), empty.bytes().await.unwrap().len()), (200, 0));
    let response = server.site(HOST, "/large.bin").await;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.unwrap() == large, "the bytes are the same");
}

/// The limits of Pages.
const STRICT: (&str, &str) = ("OFFPRINT_STRICT", "true");

#[tokio::test]
async fn a_file_beyond_the_limit_is_refused_by_name_before_anything_is_sent() {
    let (server, shell) = with_dist_at(&[STRICT], &[("index.html", "front")]).await;
    shell.home.write("dist/film.bin", vec![0; 25 * 1024 * 1024 + 1]);
    shell.fails(&DEPLOY).await.says("film.bin").says("26214400 are allowed");
    assert_eq!(server.stored_bytes(), 0);
}

#[tokio::test]
async fn files_larger_than_pages_takes_arrive_whole() {
    let (server, shell) = with_dist(&[("index.html", "front")]).await;
    // Two of them: one alone is let in whatever the server's budget of memory is.
    let film = |seed: u32| -> Vec<u8> {
        (0..27 * 1024 * 1024_u32).map(|n| ((n ^ seed).wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    };
    shell.home.write("dist/film.bin", film(0));
    shell.home.write("dist/sequel.bin", film(1));
    shell.run(&DEPLOY).await.says("3 of 3 files uploaded");
    for (path, seed) in [("/film.bin", 0), ("/sequel.bin", 1)] {
        let response = server.site(HOST, path).await;
        assert_eq!(response.status(), 200);
        assert!(response.bytes().await.unwrap() == film(seed), "{path}: the bytes are the same");
    }
}

#[tokio::test]
async fn more_files_than_pages_takes_are_taken_unless_the_server_is_strict() {
    let (server, shell) = with_dist(&[]).await;
    for n in 0..20_001 {
        shell.home.write(&format!("dist/{:03}/{n}.txt", n % 200), "same");
    }
    shell.run(&DEPLOY).await.says("of 20001 files uploaded");
    assert_eq!(server.page(HOST, "/000/20000.txt").await, "same");

    let strict = TestServer::start_with(&[STRICT]).await;
    strict.api().create_project("demo").await;
    let shell = shell.with("CLOUDFLARE_API_BASE_URL", &strict.base_url());
    shell.fails(&DEPLOY).await.says("20001").says("20000");
    let key = asset_key("/a.txt", b"same");
    let manifest: serde_json::Map<_, _> = (0..20_001).map(|n| (format!("/{n}.txt"), json!(key))).collect();
    let form = Form::manifest(&manifest.into());
    strict.api().post(&project("demo", "/deployments")).form(form).refused(ErrorCode::TooManyFiles).await;
}

#[tokio::test]
async fn links_are_followed_and_a_link_in_a_circle_is_an_error() {
    let (server, shell) = with_dist(&[("index.html", "front"), ("real/page.html", "page")]).await;
    shell.home.write("elsewhere/deep.txt", "deep");
    let dist = shell.path().join("dist");
    symlink("real", dist.join("link")).unwrap();
    symlink("index.html", dist.join("copy.html")).unwrap();
    symlink(shell.path().join("elsewhere"), dist.join("outside")).unwrap();
    shell.run(&DEPLOY).await.says("of 5 files uploaded");
    for (path, text) in [("/link/page", "page"), ("/copy", "front"), ("/outside/deep.txt", "deep")] {
        assert_eq!(server.page(HOST, path).await, text, "{path}");
    }
    symlink("..", dist.join("real/circle")).unwrap();
    shell.fails(&DEPLOY).await.says("circle");
    std::fs::remove_file(dist.join("real/circle")).unwrap();
    symlink("nothing", dist.join("dangling")).unwrap();
    shell.fails(&DEPLOY).await.says("dangling");
}

#[tokio::test]
async fn mistakes_are_told_with_what_to_do_next() {
    let (server, shell) = with_dist(&[("index.html", "front")]).await;
    shell.fails(&["deploy", "nothing", "--project", "demo"]).await.says("nothing is not a directory");
    shell.fails(&["deploy", "dist/index.html", "--project", "demo"]).await.says("is not a directory");
    shell.fails(&["deploy", "dist", "--project", ""]).await.says("the project's name is empty");
    let bare = Shell::new().with("CLOUDFLARE_API_BASE_URL", &server.base_url());
    bare.home.write("dist/index.html", "front");
    bare.fails(&DEPLOY).await.says("CLOUDFLARE_API_TOKEN");
    let stranger = bare.with("CLOUDFLARE_API_TOKEN", "not-a-token-of-this-server-0123456789abcdef");
    stranger.fails(&DEPLOY).await.says("check the API token");
    std::fs::create_dir(shell.path().join("empty")).unwrap();
    shell.fails(&["deploy", "empty", "--project", "demo"]).await.says("empty");
    let nowhere = Shell::at(&server).with("CLOUDFLARE_API_BASE_URL", "http://127.0.0.1:1/client/v4");
    nowhere.home.write("dist/index.html", "front");
    nowhere.fails(&DEPLOY).await.says("is the server running");
}

#[tokio::test]
async fn functions_are_not_dropped_without_a_word() {
    let (server, shell) = with_dist(&[("index.html", "front")]).await;
    shell.home.write("functions/api.js", "export default {}");
    shell.fails(&DEPLOY).await.says("--skip-functions").says("wrangler pages deploy");
    shell.run(&[&DEPLOY[..], &["--skip-functions"]].concat()).await;
    server.shows(HOST, "front").await;
}

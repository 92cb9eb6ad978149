//! `wrangler r2 …`

use crate::support::{Release, TestServer};

async fn a_bucket_is_made_shown_and_deleted(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    wrangler.run(&["r2", "bucket", "create", "my-bucket"]).await.says("my-bucket");
    let again = wrangler.try_run(&["r2", "bucket", "create", "my-bucket"]).await;
    assert!(!again.success);
    again.says("already exists");
    wrangler.run(&["r2", "bucket", "list"]).await.says("my-bucket");
    wrangler.directory.write("file.txt", "hello");
    wrangler.run(&["r2", "object", "put", "my-bucket/a", "--file", "file.txt", "--remote"]).await;
    let shown = wrangler.run(&["r2", "bucket", "info", "my-bucket"]).await;
    shown.says("my-bucket").says("Standard");
    assert!(
        shown.output.lines().any(|line| line.contains("object_count") && line.ends_with('1')),
        "{}",
        shown.output
    );
    let full = wrangler.try_run(&["r2", "bucket", "delete", "my-bucket"]).await;
    assert!(!full.success);
    full.says("not empty");
    wrangler.run(&["r2", "object", "delete", "my-bucket/a", "--remote"]).await;
    wrangler.run(&["r2", "bucket", "delete", "my-bucket"]).await;
    let gone = wrangler.try_run(&["r2", "bucket", "info", "my-bucket"]).await;
    assert!(!gone.success);
    gone.says("does not exist");
}

async fn objects_are_put_read_and_deleted(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    wrangler.run(&["r2", "bucket", "create", "my-bucket"]).await;
    // More than fits into any buffer on the way.
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    wrangler.directory.write("bytes.bin", &bytes);
    let key = "my-bucket/folder/with space/ü.bin";
    let put = ["r2", "object", "put", key, "--file", "bytes.bin", "--remote"];
    wrangler.run(&[&put[..], &["--content-type", "image/x", "--cache-control", "no-store"]].concat()).await;
    wrangler.run(&["r2", "object", "get", key, "--file", "back.bin", "--remote"]).await;
    assert_eq!(std::fs::read(wrangler.directory.path().join("back.bin")).unwrap(), bytes);
    let put = ["r2", "object", "put", "my-bucket/piped", "--pipe", "--remote"];
    let ran = wrangler.run_with(&put, &[], "from a pipe").await;
    assert!(ran.success, "{}", ran.output);
    let got = wrangler.run(&["r2", "object", "get", "my-bucket/piped", "--pipe", "--remote"]).await;
    assert_eq!(got.stdout, "from a pipe");
    wrangler.run(&["r2", "object", "delete", "my-bucket/piped", "--remote"]).await;
    for missing in ["my-bucket/piped", "no-bucket/a"] {
        let got = wrangler.try_run(&["r2", "object", "get", missing, "--pipe", "--remote"]).await;
        assert!(!got.success, "{missing}");
    }
}

each_release! {
    a_bucket_is_made_shown_and_deleted
    objects_are_put_read_and_deleted
}

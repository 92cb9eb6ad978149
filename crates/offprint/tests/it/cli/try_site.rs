//! `offprint try`.

use std::net::TcpListener;

use super::{HOST, Running, Shell, get};
use crate::support::{Peers, host_of};

const SITE: &str = "demo/index.html";

/// Starts `try` on the folder `demo` and waits until it serves; the origin of its API.
async fn try_demo(shell: &Shell, listen: &str) -> (Running, String) {
    let mut running = shell.start(&["try", "demo", "--listen", listen]);
    running.line_with("Serving until Ctrl-C").await;
    let api = running.line_with("API ").await;
    let origin = api.strip_suffix("/client/v4").expect("the API's address").to_owned();
    (running, origin)
}

#[tokio::test]
async fn try_prints_where_to_look_and_the_site_answers() {
    let shell = Shell::new();
    shell.home.write(SITE, "hello");
    let (mut running, origin) = try_demo(&shell, "127.0.0.1:0").await;
    let port = origin.rsplit_once(':').unwrap().1;
    let live = running.line_with("Live ").await;
    assert_eq!(live, format!("http://{HOST}:{port}"));
    for url in [live, running.line_with("Deployment ").await] {
        assert_eq!(get(&origin, host_of(&url), "/").await, (200, b"hello".to_vec()), "{url}");
    }
    running.stop().await;
}

#[tokio::test]
async fn the_lines_that_try_prints_are_all_that_a_client_needs() {
    let shell = Shell::new();
    shell.home.write(SITE, "hello");
    let (mut running, _) = try_demo(&shell, "127.0.0.1:0").await;
    let mut client = Shell::new();
    for name in ["CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"] {
        client = client.with(name, &running.line_with(&format!("export {name}=")).await);
    }
    let projects = client.run(&["project", "list", "--json"]).await.json();
    assert_eq!(projects[0]["name"], "demo");
    running.stop().await;
}

#[tokio::test]
async fn a_second_try_reuses_the_store_and_uploads_nothing() {
    let shell = Shell::new();
    shell.home.write(SITE, "hello");
    let (mut first, _) = try_demo(&shell, "127.0.0.1:0").await;
    let token = first.line_with("CLOUDFLARE_API_TOKEN=").await;
    first.stop().await;
    assert!(first.err().contains("Deployed 1 assets, 1 of them new."), "{}", first.err());

    let (mut second, origin) = try_demo(&shell, "127.0.0.1:0").await;
    assert!(second.err().contains("Deployed 1 assets, 0 of them new."), "{}", second.err());
    assert_eq!(second.line_with("CLOUDFLARE_API_TOKEN=").await, token);
    assert_eq!(get(&origin, HOST, "/").await, (200, b"hello".to_vec()));
    second.stop().await;
}

#[tokio::test]
async fn try_takes_another_port_when_its_own_is_in_use() {
    let shell = Shell::new();
    shell.home.write(SITE, "hello");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (mut running, origin) = try_demo(&shell, &address).await;
    assert!(running.err().contains(&format!("{address} is in use")), "{}", running.err());
    assert_ne!(origin, format!("http://{address}"));
    assert_eq!(get(&origin, HOST, "/").await, (200, b"hello".to_vec()));
    running.stop().await;
}

#[tokio::test]
async fn try_on_what_is_no_folder_says_so_and_makes_no_store() {
    let shell = Shell::new();
    shell.home.write("file.txt", "");
    for path in ["file.txt", "nothing"] {
        shell.fails(&["try", path, "--listen", "127.0.0.1:0"]).await.says(&format!("{path} is not a folder"));
    }
    assert!(!shell.path().join(".offprint").exists());
}

#[tokio::test]
async fn try_on_the_working_directory_does_not_publish_its_own_store() {
    let shell = Shell::new();
    shell.home.write("index.html", "hello");
    // With this page, what is not there is not answered with the front page.
    shell.home.write("404.html", "not there");
    for _ in 0..2 {
        let mut running = shell.start(&["try", ".", "--project", "demo", "--listen", "127.0.0.1:0"]);
        let api = running.line_with("API ").await;
        let origin = api.strip_suffix("/client/v4").unwrap();
        // The third is the file that standard error goes to.
        assert!(running.err().contains("Deployed 3 assets, "), "{}", running.err());
        for secret in ["/.offprint/token", "/.offprint/secret.key", "/.offprint/offprint.db"] {
            assert_eq!(get(origin, HOST, secret).await.0, 404, "{secret}");
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn try_runs_the_worker_of_a_folder() {
    let Some(peers) = Peers::find() else { return };
    let shell = Shell::new().with("OFFPRINT_WORKERD", peers.workerd().to_str().unwrap());
    shell.home.write(SITE, "hello");
    shell.home.write("demo/_worker.js", "export default { fetch: () => new Response('from the worker') }");
    let (mut running, origin) = try_demo(&shell, "127.0.0.1:0").await;
    assert_eq!(get(&origin, HOST, "/").await, (200, b"from the worker".to_vec()));
    running.stop().await;
    // What is to be compiled is wrangler's, and said to be.
    shell.home.write("other/index.html", "hello");
    shell.home.write("other/functions/hello.js", "export const onRequest = () => new Response('no')");
    let mut running = shell.start(&["try", "other", "--listen", "127.0.0.1:0"]);
    running.line_with("Serving until Ctrl-C").await;
    assert!(
        running.err().contains("functions/ is left out") && running.err().contains("wrangler"),
        "{}",
        running.err()
    );
    running.stop().await;
}

#[tokio::test]
async fn try_refuses_a_folder_that_would_publish_the_store() {
    let shell = Shell::new();
    shell.home.write(SITE, "hello");
    for (folder, data) in [(".", "data"), ("demo", "demo/deep/data"), ("demo", "demo"), ("demo/sub", "demo")]
    {
        std::fs::create_dir_all(shell.path().join(folder)).unwrap();
        let said = shell.fails(&["try", folder, "--data", data, "--listen", "127.0.0.1:0"]).await;
        said.says("would be published").says("--data");
        assert!(!shell.path().join(data).join("token").exists());
    }
}

//! `offprint serve`.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{HOST, Running, Shell, get};
use crate::support::fixture;

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// Starts a server; its origin.
async fn serve(shell: &Shell, flags: &[&str]) -> (Running, String) {
    let mut running = shell.start(&[&SERVE[..], flags].concat());
    let origin = running.line_with("listening on ").await;
    (running, origin)
}

/// A shell for the client of a server that has just made its first account.
async fn client_of(running: &mut Running, origin: &str) -> Shell {
    let mut client = Shell::new().with("CLOUDFLARE_API_BASE_URL", &format!("{origin}/client/v4"));
    for name in ["CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"] {
        client = client.with(name, &running.line_with(&format!("export {name}=")).await);
    }
    client
}

#[tokio::test]
async fn the_first_start_prints_a_token_and_no_later_one_does() {
    let shell = Shell::new();
    let (mut first, origin) = serve(&shell, &[]).await;
    let token = first.line_with("CLOUDFLARE_API_TOKEN=").await;
    let client = client_of(&mut first, &origin).await;
    assert_eq!(first.line_with("CLOUDFLARE_API_BASE_URL=").await, format!("{origin}/client/v4"));
    client.run(&["project", "create", "demo"]).await;
    first.stop().await;

    let (mut second, origin) = serve(&shell, &[]).await;
    assert!(!second.out().contains("TOKEN"), "{}", second.out());
    let client = client.with("CLOUDFLARE_API_BASE_URL", &format!("{origin}/client/v4"));
    assert_eq!(client.run(&["project", "list", "--json"]).await.json()[0]["name"], "demo");
    second.stop().await;
    assert!(!second.err().contains(&token), "the token is in the log");
}

#[tokio::test]
async fn a_bootstrap_token_of_the_operators_choice_is_not_printed() {
    let chosen = "chosen-by-the-operator-0123456789";
    let shell = Shell::new().with("OFFPRINT_BOOTSTRAP_TOKEN", chosen);
    let (mut running, origin) = serve(&shell, &[]).await;
    let client = Shell::new()
        .with("CLOUDFLARE_API_BASE_URL", &format!("{origin}/client/v4"))
        .with("CLOUDFLARE_API_TOKEN", chosen);
    client.run(&["project", "list"]).await;
    running.stop().await;
    assert!(!running.out().contains(chosen) && !running.err().contains(chosen));
}

#[tokio::test]
async fn health_and_readiness_are_for_everybody() {
    let shell = Shell::new();
    let (mut running, origin) = serve(&shell, &[]).await;
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        assert_eq!(get(&origin, "any.host.example", path).await, (200, text.into()));
        assert_eq!(get(&origin, "127.0.0.1", path).await, (200, text.into()));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_asked_about() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = Shell::new().fails(&["serve", "--listen", &address]).await;
    said.says(&format!("cannot listen on {address}")).says("another server running");
}

#[tokio::test]
async fn the_log_can_be_json_line_by_line() {
    let shell = Shell::new();
    let (mut running, origin) = serve(&shell, &["--log-format", "json"]).await;
    get(&origin, "127.0.0.1", "/client/v4/user").await;
    running.stop().await;
    let log = running.err();
    assert!(!log.is_empty());
    for line in log.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(entry["level"].is_string() && entry["timestamp"].is_string(), "{line}");
    }
}

/// Sends the head and the beginning of an upload, and keeps the rest.
async fn slow_upload(origin: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(origin.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST /client/v4/pages/assets/check-missing HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 20\r\n\r\n{{\"hashes\""
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stream
}

#[tokio::test]
async fn a_request_that_is_being_sent_is_answered_before_the_server_stops() {
    let shell = Shell::new();
    let (mut running, origin) = serve(&shell, &[]).await;
    let token = running.line_with("CLOUDFLARE_API_TOKEN=").await;
    let mut stream = slow_upload(&origin, &token).await;
    running.signal("TERM");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(TcpStream::connect(origin.strip_prefix("http://").unwrap()).await.is_err(), "it accepts no more");
    stream.write_all(b":[]       }").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(running.ended().await, 0);
}

#[tokio::test]
async fn a_client_that_never_finishes_is_waited_for_no_longer_than_the_grace() {
    let shell = Shell::new();
    let (mut running, origin) = serve(&shell, &["--shutdown-grace", "1"]).await;
    let token = running.line_with("CLOUDFLARE_API_TOKEN=").await;
    let _stream = slow_upload(&origin, &token).await;
    running.signal("TERM");
    let code = tokio::time::timeout(Duration::from_secs(15), running.ended()).await;
    assert_eq!(code.expect("it ends"), 0);
    assert!(running.err().contains("still in flight"), "{}", running.err());
}

#[tokio::test]
async fn after_a_kill_what_was_deployed_is_still_there() {
    let shell = Shell::new();
    let (mut running, origin) = serve(&shell, &[]).await;
    let client = client_of(&mut running, &origin).await;
    client.home.write("dist/index.html", "kept");
    client.run(&["deploy", "dist", "--project", "demo", "--create"]).await;
    drop(running);
    let (mut running, origin) = serve(&shell, &[]).await;
    assert_eq!(get(&origin, HOST, "/").await, (200, b"kept".to_vec()));
    running.stop().await;
}

#[tokio::test]
async fn limits_without_end_are_taken_as_they_are() {
    let most = u64::MAX.to_string();
    let shell = Shell::new();
    let flags = ["--file-bytes-max", "--files-max", "--gc-interval", "--blob-grace", "--shutdown-grace"];
    let flags: Vec<&str> = flags.iter().flat_map(|flag| [*flag, most.as_str()]).collect();
    let (mut running, origin) = serve(&shell, &flags).await;
    let client = client_of(&mut running, &origin).await;
    client.home.write("dist/index.html", "front");
    client.run(&["deploy", "dist", "--project", "demo", "--create"]).await;
    assert_eq!(get(&origin, HOST, "/").await, (200, b"front".to_vec()));
    running.stop().await;
}

#[tokio::test]
async fn the_data_directory_is_for_nobody_else_to_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let shell = Shell::new();
    let (mut running, _) = serve(&shell, &["--data", "data"]).await;
    running.stop().await;
    let mode = std::fs::metadata(shell.path().join("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_named_at_the_start() {
    let shell = Shell::new();
    for name in ["first.pem", "first.key", "renewed.key"] {
        shell.home.write(name, std::fs::read(fixture(&format!("tls/{name}"))).unwrap());
    }
    shell.home.write("empty", "");
    for (cert, key, reasons) in [
        ("nothing.pem", "first.key", ["tls-cert: nothing.pem", "No such file"]),
        ("empty", "first.key", ["tls-cert: empty", "no certificate"]),
        ("first.key", "first.key", ["tls-cert: first.key", "no certificate"]),
        ("first.pem", "nothing.key", ["tls-key: nothing.key", "No such file"]),
        ("first.pem", "first.pem", ["tls-key: first.pem", "private key"]),
        ("first.pem", "renewed.key", ["tls-key: renewed.key", "does not fit the certificate in first.pem"]),
    ] {
        let said = shell.fails(&[&SERVE[..], &["--tls-cert", cert, "--tls-key", key]].concat()).await;
        said.says(reasons[0]).says(reasons[1]);
    }
    assert!(!shell.path().join(".offprint").exists(), "nothing is made before the certificate is right");
    shell.home.write("dist/index.html", "front");
    let flags = ["try", "dist", "--tls-cert", "first.pem", "--tls-key", "first.key"];
    shell.fails(&flags).await.says("plain HTTP");
}

#[tokio::test]
async fn the_access_log_can_be_standard_output() {
    let shell = Shell::new();
    let (mut running, origin) = serve(&shell, &["--access-log", "-"]).await;
    get(&origin, "127.0.0.1", "/healthz?logged").await;
    running.stop().await;
    let line = running.line_with("\"query\":\"logged\"").await;
    assert!(line.contains("\"status\":200"), "{line}");
}

#[tokio::test]
async fn an_access_log_that_cannot_be_opened_is_named_at_the_start() {
    let said = Shell::new().fails(&[&SERVE[..], &["--access-log", "no/such/folder.log"]].concat()).await;
    said.says("access-log: no/such/folder.log");
}

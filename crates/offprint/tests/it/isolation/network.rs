//! The network around the server.

use std::os::unix::net::UnixListener;

use super::Ground;

#[tokio::test]
async fn a_build_reaches_neither_the_server_nor_loopback_nor_metadata() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let port = ground.server.address().port();
    let mut script = String::new();
    for host in ["127.0.0.1", "localhost", "127.1", "0x7f000001", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"] {
        script.push_str(&format!("git ls-remote http://{host}:{port}/client/v4/x\n"));
    }
    for host in ["169.254.169.254", "10.0.0.1", "192.168.0.1", "[fd00:ec2::254]"] {
        script.push_str(&format!("git ls-remote http://{host}/latest/meta-data/\n"));
    }
    // Around the proxy there is nothing to be around in.
    script.push_str(&format!(
        "unset http_proxy https_proxy; git ls-remote http://127.0.0.1:{port}/x; cat /proc/net/route; exit 0"
    ));
    let built = ground.build("caller", &script).await;
    let log = built.went_live();
    for (host, what) in [
        (format!("127.0.0.1:{port}"), "loopback"),
        (format!("localhost:{port}"), "loopback"),
        ("169.254.169.254:80".into(), "metadata"),
        ("10.0.0.1:80".into(), "private"),
        ("fd00:ec2::254:80".into(), "private"),
    ] {
        let refused = |line: &str| line.contains(&format!("network: refused {host}")) && line.contains(what);
        assert!(log.lines().any(refused), "{host}:\n{log}");
    }
}

#[tokio::test]
async fn a_build_reaches_no_socket_of_the_machine() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let path = ground.server.data().join("inside.sock");
    let _socket = UnixListener::bind(&path).unwrap();
    let script = format!(
        "ls -l {}; tail -n +2 /proc/net/unix; find / -xdev -type s 2>/dev/null; exit 0",
        path.display()
    );
    let built = ground.build("sockets", &script).await;
    let log = built.went_live();
    assert!(log.contains("No such file") && !log.contains("srw"), "{log}");
    let sockets: Vec<_> = log.lines().filter(|line| line.starts_with('/')).collect();
    assert!(sockets.iter().all(|socket| *socket == "/run/offprint/network/egress"), "{sockets:?}");
}

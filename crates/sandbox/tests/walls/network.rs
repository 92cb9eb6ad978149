//! The network: through the proxy, to public addresses and what the operator opens.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::support::Bench;

/// A web server of this machine that counts its visitors.
struct Inside {
    address: SocketAddr,
    visitors: Arc<AtomicUsize>,
}

impl Inside {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let visitors = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visitors);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let body = format!("secret of the inside\n{request}");
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, visitors }
    }

    fn visitors(&self) -> usize {
        self.visitors.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn loopback_private_and_metadata_addresses_are_refused_and_the_log_says_so() {
    let Some(bench) = Bench::with_walls().await else { return };
    let inside = Inside::start();
    let port = inside.address.port();
    let mut script = String::new();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
    ];
    for host in hosts {
        // Both ways of asking a proxy, and with the variable that spares loopback out of the way.
        for flags in ["", "-p"] {
            script.push_str(&format!("curl -sS -m 5 --noproxy '' {flags} 'http://{host}:{port}/'\n"));
        }
    }
    script.push_str("curl -sS -m 2 http://169.254.169.254/latest/meta-data/; exit 0");
    let outcome = bench.sh(&script).await;
    assert_eq!(inside.visitors(), 0, "{outcome:?}");
    for (host, what) in [
        ("127.0.0.1", "loopback"),
        ("localhost", "loopback"),
        ("::1", "loopback"),
        ("10.0.0.1", "private"),
        ("169.254.169.254", "metadata"),
    ] {
        assert!(outcome.says(&["network: refused", host, what]), "{host}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_does_not_ask_the_proxy_reaches_nobody() {
    let Some(bench) = Bench::with_walls().await else { return };
    let inside = Inside::start();
    let script = format!(
        "unset http_proxy https_proxy; curl -sS -m 3 http://{0}/; curl -sS -m 3 http://1.1.1.1/; \
         curl -sS -m 3 http://example.com/; cat /proc/net/dev | tail -n +3 | cut -d: -f1; exit 0",
        inside.address
    );
    let outcome = bench.sh(&script).await;
    assert_eq!(inside.visitors(), 0, "{outcome:?}");
    assert_eq!(outcome.lines.last().unwrap().trim(), "lo", "{outcome:?}");
}

#[tokio::test]
async fn sockets_of_the_machine_are_out_of_reach() {
    let Some(bench) = Bench::with_walls().await else { return };
    let path = bench.path("server.sock");
    let _file = UnixListener::bind(&path).unwrap();
    let name = format!("offprint-test-{}", std::process::id());
    let _abstract = UnixListener::bind_addr(&UnixAddress::from_abstract_name(&name).unwrap()).unwrap();
    let script = format!(
        "cat /proc/net/unix; perl -MSocket -e '\
           for my $p (\"{0}\", \"\\0{name}\") {{ socket(my $s, AF_UNIX, SOCK_STREAM, 0); \
             print connect($s, pack_sockaddr_un($p)) ? \"reached\\n\" : \"no: $!\\n\" }}'",
        path.display()
    );
    let outcome = bench.sh(&script).await;
    assert!(!outcome.says(&["reached"]) && !outcome.says(&[&name]), "{outcome:?}");
    assert_eq!(outcome.lines.iter().filter(|line| line.starts_with("no: ")).count(), 2, "{outcome:?}");
}

#[tokio::test]
async fn the_operator_can_open_addresses_inside() {
    let inside = Inside::start();
    let port = inside.address.port();
    let Some(bench) = Bench::allowing(&format!("127.0.0.1:{port} localhost:1")).await else { return };
    let script = format!(
        "curl -sS -m 5 -H 'Host: forged' -H 'Proxy-Connection: x' http://127.0.0.1:{port}/a?b=c\n\
         curl -sS -m 5 -p http://127.0.0.1:{port}/tunnel\n\
         curl -sS -m 5 -o /dev/null -w '%{{http_code}}\\n' http://127.0.0.2:{port}/"
    );
    let outcome = bench.sh(&script).await;
    assert!(outcome.says(&["GET /a?b=c HTTP/1.1"]) && outcome.says(&["GET /tunnel HTTP/1.1"]), "{outcome:?}");
    assert!(outcome.says(&["403"]) && outcome.says(&["refused", "127.0.0.2"]), "{outcome:?}");
    // The host that was judged is the host that is asked for.
    assert!(!outcome.says(&["forged"]) && !outcome.says(&["Proxy-Connection"]), "{outcome:?}");
    assert_eq!(inside.visitors(), 2);
}

#[tokio::test]
async fn ssh_goes_through_the_proxy_too() {
    let inside = Inside::start();
    let port = inside.address.port();
    let Some(bench) = Bench::allowing(&format!("127.0.0.1:{port}")).await else { return };
    let helper = bench.sandbox.ssh_proxy();
    let proxied = |host: &str| helper.replace("%h", host).replace("%p", &port.to_string());
    let script = format!(
        "cat /etc/ssh/ssh_config; printf 'GET /ssh HTTP/1.0\\r\\n\\r\\n' | {}; {} </dev/null; exit 0",
        proxied("127.0.0.1"),
        proxied("127.0.0.9")
    );
    let outcome = bench.sh(&script).await;
    assert!(outcome.says(&["ProxyCommand /run/offprint/helper", "connect %h %p"]), "{outcome:?}");
    assert!(outcome.says(&["GET /ssh HTTP/1.0"]), "{outcome:?}");
    assert!(outcome.says(&["sandbox: the proxy refuses", "127.0.0.9"]), "{outcome:?}");
}

#[tokio::test]
async fn a_command_without_network_has_no_proxy() {
    let Some(bench) = Bench::with_walls().await else { return };
    let mut spec =
        bench.script("env | grep -i proxy; ls /run/offprint; curl -sS -m 2 http://127.0.0.1:3128/; exit 0");
    spec.network = false;
    let outcome = bench.run(spec).await;
    assert_eq!(outcome.lines[0], "helper", "{outcome:?}");
}

//! What Functions reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::bundles::{ES, bundle, fetch};
use crate::house::House;

/// Fetches what the query names and tells what came of it.
const FETCH: &str = r#"
    const target = new URL(request.url).searchParams.get("u");
    try {
      const answer = await fetch(target, { method: request.method, body: request.body });
      return new Response(`${answer.status} ${await answer.text()}`);
    } catch (error) {
      return new Response(`error ${error.message}`);
    }
"#;

/// A web server of this machine. `/to?URL` redirects there, everything else is echoed.
async fn inside() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, visitors) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&visitors);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let target = request.strip_prefix("GET /to?").and_then(|rest| rest.split(' ').next());
                let head = match target {
                    Some(target) => format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\n"),
                    None => "HTTP/1.1 200 OK\r\n".to_owned(),
                };
                let length = request.len();
                let answer = format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{request}");
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (port, visitors)
}

fn asking(url: &str) -> String {
    format!("/?u={}", url.replace('&', "%26").replace('#', "%23"))
}

#[tokio::test]
async fn private_places_are_refused_by_address_name_and_redirect() {
    let ((open, _), (closed, visitors)) = (inside().await, inside().await);
    let allow = format!("127.0.0.1:{open}");
    let Some(house) = House::with(|options| options.allow = allow.parse().unwrap()).await else { return };
    let key = house.deploy(fetch(FETCH)).await;
    for (url, what) in [
        (format!("http://127.0.0.1:{closed}/"), "loopback"),
        (format!("http://localhost:{closed}/"), "loopback"),
        (format!("http://[::1]:{closed}/"), "loopback"),
        (format!("http://2130706433:{closed}/"), "loopback"),
        (format!("https://127.0.0.1:{closed}/"), "loopback"),
        ("http://10.0.0.1/".into(), "private"),
        ("http://169.254.169.254/latest/meta-data/".into(), "metadata"),
        (format!("http://127.0.0.1:{open}/to?http://127.0.0.1:{closed}/"), "loopback"),
        (format!("http://127.0.0.1:{open}/to?http://169.254.169.254/"), "metadata"),
    ] {
        let answer = house.get(&key, &asking(&url)).await.text;
        assert!(answer.starts_with("502 network: refused") && answer.contains(what), "{url}: {answer}");
    }
    assert_eq!(visitors.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_is_open_is_reached() {
    let (open, _) = inside().await;
    let allow = format!("127.0.0.1:{open}");
    let Some(house) = House::with(|options| options.allow = allow.parse().unwrap()).await else { return };
    let key = house.deploy(fetch(FETCH)).await;
    let answer = house.get(&key, &asking(&format!("http://127.0.0.1:{open}/a?b=c"))).await.text;
    assert!(answer.starts_with("200 GET /a?b=c HTTP/1.1\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains(&format!("host: 127.0.0.1:{open}\r\n")), "{answer}");
    let answer = house.get(&key, &asking(&format!("http://127.0.0.1:{open}/to?/there"))).await.text;
    assert!(answer.starts_with("200 GET /there HTTP/1.1\r\n"), "{answer}");
}

#[tokio::test]
async fn sockets_of_functions_are_judged_alike() {
    let ((open, _), (closed, visitors)) = (inside().await, inside().await);
    let allow = format!("127.0.0.1:{open}");
    let Some(house) = House::with(|options| options.allow = allow.parse().unwrap()).await else { return };
    let source = r#"
        import { connect } from "cloudflare:sockets";
        export default { async fetch(request) {
          const socket = connect(new URL(request.url).searchParams.get("u"));
          try {
            const writer = socket.writable.getWriter();
            await writer.write(new TextEncoder().encode("GET /raw HTTP/1.0\r\n\r\n"));
            return new Response(await new Response(socket.readable).text());
          } catch (error) { return new Response(`error ${error.message}`) }
        } }"#;
    let key = house.deploy(bundle(&serde_json::json!({}), &[("m.js", ES, source.as_bytes())])).await;
    let answer = house.get(&key, &format!("/?u=127.0.0.1:{open}")).await.text;
    assert!(answer.contains("GET /raw HTTP/1.0"), "{answer}");
    let answer = house.get(&key, &format!("/?u=127.0.0.1:{closed}")).await.text;
    assert!(!answer.contains("GET /raw"), "{answer}");
    assert_eq!(visitors.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_walls_have_no_other_way_out() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(fetch("return new Response('up')")).await;
    assert_eq!(house.get(&key, "/").await.text, "up");
    let pids = crate::house::processes_with("serve\0../config.capnp", "");
    let ours = pids.iter().find(|pid| {
        let root = std::fs::read_dir(format!("/proc/{pid}/root/functions"));
        root.is_ok_and(|mut entries| entries.any(|entry| entry.unwrap().file_name() == "config.capnp"))
    });
    let pid = ours.expect("the process is there");
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    let interfaces: Vec<_> = read("net/dev")
        .lines()
        .skip(2)
        .map(|line| line.split(':').next().unwrap().trim().to_owned())
        .collect();
    assert_eq!(interfaces, ["lo"]);
    let status = read("status");
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(
        (field("CapEff:").as_str(), field("NoNewPrivs:").as_str(), field("Seccomp:").as_str()),
        ("0000000000000000", "1", "2")
    );
    assert!(!field("Uid:").starts_with("0\t"), "{}", field("Uid:"));
    assert!(!std::path::Path::new(&format!("/proc/{pid}/root/root")).exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}/root{}", house.world.dir.path().display())).exists());
}

//! Commands that serve: the socket they are given, and how they end.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offprint_sandbox::{CpuShare, CpuTime, Exit, Meter, Service, Spec};
use tokio_util::sync::CancellationToken;

use super::support::{Bench, assert_gone};

/// Answers each connection with a line, and says when it is asked to end.
const SERVER: &str = "import os, signal, socket, sys
listener = socket.socket(fileno=0)
print('number', sys.argv[1], flush=True)
def end(*_):
    print('asked', flush=True)
    if sys.argv[2] == 'obeys': os._exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    connection = listener.accept()[0]
    connection.sendall(b'served')
    connection.close()
";

fn serving(bench: &Bench, listener: UnixListener, argv: &[&str]) -> (Spec, Service) {
    let service = Service {
        socket: Arc::new(listener.into()),
        grace: Duration::from_secs(1),
        share: CpuShare::of_weight(50),
        look: Duration::from_millis(100),
        meter: Meter::default(),
        kill: CancellationToken::new(),
    };
    let argv = [&["python3", "-c", SERVER], argv].concat();
    (Spec { service: Some(service.clone()), network: false, ..bench.command(&argv) }, service)
}

fn ask(path: &Path) -> String {
    let mut answer = String::new();
    UnixStream::connect(path).unwrap().read_to_string(&mut answer).unwrap();
    answer
}

async fn serves_and_ends(bench: Bench, number: &str) {
    let path = bench.path("listening");
    let listener = UnixListener::bind(&path).unwrap();
    // Who comes early waits in the socket.
    let early = UnixStream::connect(&path).unwrap();
    let (spec, service) = serving(&bench, listener, &[number, "obeys"]);
    let stop = CancellationToken::new();
    let asking = {
        let (path, stop, meter) = (path.clone(), stop.clone(), service.meter.clone());
        tokio::task::spawn_blocking(move || {
            let mut first = String::new();
            (&early).read_to_string(&mut first).unwrap();
            assert_eq!((first.as_str(), ask(&path).as_str()), ("served", "served"));
            assert!(meter.cpu_time().used > Duration::ZERO && meter.memory_bytes() > 0);
            stop.cancel();
        })
    };
    let (outcome, asked) = tokio::join!(bench.run_until(spec, stop), asking);
    asked.unwrap();
    // It was asked, and ended by itself.
    assert_eq!(outcome.exit, Exit::Code(0), "{outcome:?}");
    assert!(outcome.says(&["asked"]), "{outcome:?}");
    assert_eq!(service.meter.cpu_time(), CpuTime::default());
    assert_gone(number);
}

#[tokio::test]
async fn a_server_takes_a_socket_over_and_ends_when_it_is_asked() {
    if let Some(bench) = Bench::with_walls().await {
        serves_and_ends(bench, "79001").await;
    }
    serves_and_ends(Bench::plain(), "79002").await;
}

#[tokio::test]
async fn a_server_that_does_not_want_to_end_is_made_to() {
    let Some(bench) = Bench::with_walls().await else { return };
    for (number, at_once) in [("79003", false), ("79004", true)] {
        let path = bench.path(number);
        let (spec, service) = serving(&bench, UnixListener::bind(&path).unwrap(), &[number, "stays"]);
        let stop = CancellationToken::new();
        let stopping = {
            let (stop, kill) = (stop.clone(), service.kill.clone());
            tokio::task::spawn_blocking(move || {
                assert_eq!(ask(&path), "served");
                if at_once {
                    kill.cancel()
                } else {
                    stop.cancel()
                }
                Instant::now()
            })
        };
        let (outcome, stopped) = tokio::join!(bench.run_until(spec, stop), stopping);
        assert_eq!(outcome.exit, Exit::Canceled, "{outcome:?}");
        assert_eq!(outcome.says(&["asked"]), !at_once, "{outcome:?}");
        assert_eq!(stopped.unwrap().elapsed() >= service.grace, !at_once);
        assert_gone(number);
    }
}

#[tokio::test]
async fn a_socket_closes_with_its_server() {
    let Some(bench) = Bench::with_walls().await else { return };
    let path = bench.path("listening");
    let (mut spec, service) = serving(&bench, UnixListener::bind(&path).unwrap(), &[]);
    spec.argv = ["sh", "-c", "exit 3"].map(String::from).to_vec();
    let outcome = bench.run(spec).await;
    assert_eq!(outcome.exit, Exit::Code(3));
    assert!(UnixStream::connect(&path).is_ok(), "we still hold it");
    drop(service);
    let refused = UnixStream::connect(&path).and_then(|mut stream| stream.write_all(b"x"));
    assert!(refused.is_err());
}

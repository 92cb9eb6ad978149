//! Shares of the CPUs.

use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use offprint_sandbox::{Claim, CpuShare, Meter, Service, Spec};
use tokio_util::sync::CancellationToken;

use super::support::Bench;

/// Computes on the first CPU that it may use, so that all of these are in each other's way.
const COMPUTES: &str = "import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
while True: pass
";

fn computing(bench: &Bench, name: &str) -> (Spec, Service) {
    let service = Service {
        socket: Arc::new(UnixListener::bind(bench.path(name)).unwrap().into()),
        grace: Duration::from_secs(1),
        share: CpuShare::of_weight(50),
        look: Duration::from_millis(100),
        meter: Meter::default(),
        kill: CancellationToken::new(),
    };
    let command = bench.command(&["python3", "-c", COMPUTES]);
    (Spec { service: Some(service.clone()), network: false, ..command }, service)
}

/// How much two commands compute, from now until they have computed for a while together.
async fn computed(both: [&Service; 2]) -> [Duration; 2] {
    let used = || both.map(|service| service.meter.cpu_time().used);
    let before = used();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let since = [0, 1].map(|n| used()[n].saturating_sub(before[n]));
        if since[0] + since[1] > Duration::from_secs(1) {
            return since;
        }
    }
}

#[tokio::test]
async fn who_gives_way_gets_what_is_left_over_until_it_has_its_share_again() {
    let Some(bench) = Bench::with_walls().await else { return };
    if bench.sandbox.limited_by().contains("no control group") {
        eprintln!("skipped: no control groups can be made here: {}", bench.sandbox.limited_by());
        return;
    }
    let [(spec, usual), (other_spec, other)] = [computing(&bench, "usual"), computing(&bench, "other")];
    // It holds also for what has not begun.
    other.share.set(Claim::Leftovers);
    let stop = CancellationToken::new();
    let watching = async {
        while [&usual, &other].iter().any(|service| service.meter.cpu_time().used.is_zero()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let [much, little] = computed([&usual, &other]).await;
        assert!(little < much / 5, "{little:?} of {much:?}");
        other.share.set(Claim::Tenth);
        let [most, tenth] = computed([&usual, &other]).await;
        assert!(tenth < most / 3, "{tenth:?} of {most:?}");
        other.share.set(Claim::Whole);
        let [half, other_half] = computed([&usual, &other]).await;
        assert!(other_half > half / 5, "{other_half:?} of {half:?}");
        stop.cancel();
    };
    tokio::join!(bench.run_until(spec, stop.clone()), bench.run_until(other_spec, stop.clone()), watching);
}

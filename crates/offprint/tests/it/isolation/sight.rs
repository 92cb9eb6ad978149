//! The store, the server's environment, other builds, the rest of the machine.

use super::Ground;
use crate::support::TOKEN;

#[tokio::test]
async fn a_build_cannot_read_the_store() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let data = ground.server.data();
    let script = format!(
        "cat {0}/offprint.db {0}/secret.key && echo READ; ls {0} && echo LISTED; \
         find / -xdev \\( -name offprint.db -o -name secret.key \\) 2>/dev/null; exit 0",
        data.display()
    );
    let built = ground.build("reader", &script).await;
    let log = built.went_live();
    assert!(!log.contains("READ") && !log.contains("LISTED"), "{log}");
    assert_eq!(log.matches("No such file").count(), 3, "{log}");
    assert!(!log.lines().any(|line| line.starts_with('/')), "something was found: {log}");
}

#[tokio::test]
async fn a_build_cannot_read_the_environment_of_the_server() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let script = "env | sort; for p in /proc/[0-9]*; do echo \"pid ${p#/proc/}\"; tr '\\0' '\\n' < $p/environ; done; exit 0";
    let built = ground.build("snoop", script).await;
    let log = built.went_live();
    assert!(!log.contains(TOKEN) && !log.contains("OFFPRINT_BOOTSTRAP"), "{log}");
    assert!(log.contains("CF_PAGES=1"), "{log}");
    // Process 1 is the sandbox's own, and nobody else's is in sight.
    let pids = log.lines().filter(|line| line.starts_with("pid ")).count();
    assert!(pids <= 5, "{log}");
}

#[tokio::test]
async fn a_build_cannot_read_another_build() {
    let Some(ground) = Ground::start(&[("OFFPRINT_BUILDS_PER_ACCOUNT", "2")]).await else { return };
    let gate = ground.git.gate();
    let victim = format!("echo 'the plans' > plans; echo 'the plans' > /tmp/plans; {gate}");
    let waiting = ground.begin("victim", &victim).await;
    ground.git.comes_to_gate(1).await;
    let builds = ground.server.data().join("builds");
    let script = format!(
        "ls {} && echo LISTED; cat /tmp/plans; find / -xdev -name plans 2>/dev/null && echo none more; ls /proc/*/cwd/; exit 0",
        builds.display()
    );
    let spy = ground.build("spy", &script).await;
    ground.git.open_gate();
    assert!(ground.ended("victim", &waiting).await.is_live());
    let log = spy.went_live();
    assert!(!log.contains("LISTED") && !log.contains("the plans"), "{log}");
    assert!(!log.lines().any(|line| line.ends_with("/plans")), "{log}");
}

#[tokio::test]
async fn a_build_cannot_write_outside() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let script = format!(
        "for place in / /usr/bin /etc /run /dev /var /home {} /root; do \
           touch $place/made 2>/dev/null && echo WROTE $place; done; \
         echo x > /proc/sys/kernel/core_pattern && echo WROTE; touch here ~/here /tmp/here && echo wrote at home; exit 0",
        ground.server.data().display()
    );
    let built = ground.build("writer", &script).await;
    let log = built.went_live();
    assert!(!log.contains("WROTE") && log.contains("wrote at home"), "{log}");
}

#[tokio::test]
async fn a_link_to_the_servers_files_is_not_deployed() {
    let Some(ground) = Ground::start(&[]).await else { return };
    let data = ground.server.data();
    let script = format!(
        "ln -s {0}/secret.key key.txt; ln -s {0} data; ln -s /etc/passwd passwd.txt; ln -s {0}/offprint.db _headers",
        data.display()
    );
    let id = ground.begin("linker", &script).await;
    let built = ground.ended("linker", &id).await;
    for path in ["/key.txt", "/data/secret.key", "/passwd.txt"] {
        let response = ground.server.site("linker.pages.localhost", path).await;
        assert_ne!(response.status(), 200, "{path}\n{}", built.log);
    }
}

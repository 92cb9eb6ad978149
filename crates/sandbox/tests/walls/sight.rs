//! What can be seen and written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use offprint_sandbox::Exit;

use super::support::Bench;

#[tokio::test]
async fn a_command_runs_in_its_workspace_and_its_output_arrives() {
    let Some(bench) = Bench::with_walls().await else { return };
    let outcome = bench.sh("pwd; echo err >&2; echo $HOME; id -u; hostname; echo made > file").await;
    assert_eq!(outcome.lines, ["/workspace", "err", "/home/build", "1000", "sandbox"]);
    assert_eq!(fs::read_to_string(bench.path("workspace/file")).unwrap(), "made\n");
    assert_eq!(bench.run(bench.script("exit 3")).await.exit, Exit::Code(3));
    assert_eq!(bench.run(bench.script("kill -TERM $$")).await.exit, Exit::Signal(15));
    let absent = bench.run(bench.command(&["no-such-program"])).await;
    assert_eq!(absent.exit, Exit::Code(127));
    assert!(absent.says(&["no-such-program", "not found"]), "{absent:?}");
}

#[tokio::test]
async fn nothing_of_the_machine_is_visible_but_a_read_only_system() {
    let Some(bench) = Bench::with_walls().await else { return };
    let secret = bench.path("offprint.db");
    fs::write(&secret, "the store").unwrap();
    let root = bench.sh("ls -A /").await.lines;
    for name in &root {
        let known = [
            "bin",
            "sbin",
            "lib",
            "lib32",
            "lib64",
            "libx32",
            "usr",
            "etc",
            "proc",
            "dev",
            "tmp",
            "var",
            "run",
            "home",
            "workspace",
            "nix",
        ];
        assert!(known.contains(&name.as_str()), "/{name} is visible");
    }
    let script = format!(
        "cat {0} && exit 1; ls -A /root /sys /boot /srv /mnt && exit 1; cat /etc/shadow && exit 1; \
         ls /etc/ssl/private && exit 1; ls -A /run /home; exit 0",
        secret.display()
    );
    let outcome = bench.sh(&script).await;
    assert!(!outcome.says(&["the store"]), "{outcome:?}");
    let visible: Vec<_> = outcome.lines.iter().filter(|line| !line.contains(": ")).collect();
    assert_eq!(visible, ["/home:", "build", "", "/run:", "offprint"]);
}

#[tokio::test]
async fn nothing_can_be_written_outside_workspace_home_and_temp() {
    let Some(bench) = Bench::with_walls().await else { return };
    let script = "for place in / /usr /usr/bin /etc /etc/ssl /run /run/offprint /run/offprint/network /var /dev /home \
        /bin /proc /proc/sys/kernel; do touch $place/made 2>/dev/null && echo wrote $place; done; \
        echo x > /proc/sys/kernel/core_pattern && echo wrote core_pattern; \
        echo x > /etc/passwd && echo wrote passwd; mount -t tmpfs x /tmp && echo mounted; \
        for place in . ~ /tmp /var/tmp /dev/shm; do touch $place/made || echo cannot write $place; done; exit 0";
    let outcome = bench.sh(script).await;
    assert!(
        !outcome.says(&["wrote"]) && !outcome.says(&["cannot write"]) && !outcome.says(&["mounted"]),
        "{outcome:?}"
    );
    // What one command leaves in its temporary directory the next does not find.
    assert_eq!(bench.sh("ls -A /tmp /dev/shm").await.text(), "/dev/shm:\n\n/tmp:");
}

#[tokio::test]
async fn the_environment_holds_nothing_of_the_servers() {
    let Some(bench) = Bench::with_walls().await else { return };
    let mut spec = bench.script("env; cat /proc/1/environ /proc/*/environ | tr '\\0' '\\n'; exit 0");
    spec.env = vec![("GREETING".into(), "hello".into()), ("HOME".into(), "/elsewhere".into())];
    let text = bench.run(spec).await.text();
    assert!(text.contains("GREETING=hello") && text.contains("HOME=/elsewhere"), "{text}");
    // Cargo sets this for its tests, which are the server here.
    assert!(std::env::var("CARGO_MANIFEST_DIR").is_ok());
    assert!(!text.contains("CARGO_MANIFEST_DIR="), "{text}");
}

#[tokio::test]
async fn variables_act_inside_only() {
    let Some(bench) = Bench::with_walls().await else { return };
    // On its way in, a command passes programs that run outside; they must not load what its owner names.
    let mut spec = bench.script("exit 0");
    spec.env = vec![("LD_PRELOAD".into(), bench.path("evil.so").display().to_string())];
    let outcome = bench.run(spec).await;
    assert_eq!(outcome.exit, Exit::Code(0));
    let complaints = outcome.lines.iter().filter(|line| line.contains("evil.so")).count();
    assert_eq!(complaints, 1, "the shell alone should have seen it: {outcome:?}");
}

#[tokio::test]
async fn only_its_own_processes_are_visible() {
    let Some(bench) = Bench::with_walls().await else { return };
    let pids = bench.sh("for p in /proc/[0-9]*; do echo ${p#/proc/}; done").await.lines;
    assert!(pids.len() <= 4, "{pids:?}");
    let me = std::process::id();
    let outcome = bench
        .sh(&format!("kill -9 {me} 2>/dev/null && echo killed; kill -STOP 1; kill -9 1; cat /proc/1/environ; ls /proc/1/fd; exit 0"))
        .await;
    assert!(!outcome.says(&["killed"]) && outcome.says(&["Permission denied"]), "{outcome:?}");
}

#[tokio::test]
async fn another_ones_workspace_is_not_there() {
    let (Some(one), Some(other)) = (Bench::with_walls().await, Bench::with_walls().await) else { return };
    fs::write(other.path("workspace/plans"), "secret plans").unwrap();
    let running = other.run(other.script("echo secret > /tmp/x; echo secret > /dev/shm/x; sleep 3"));
    let script = format!(
        "cat {} /tmp/x /dev/shm/x; find / -name plans -not -path '/proc/*' 2>/dev/null; exit 0",
        other.path("workspace/plans").display()
    );
    let (seen, _) = tokio::join!(one.sh(&script), running);
    assert!(!seen.says(&["secret"]) && !seen.says(&["/plans"]) || seen.says(&["No such file"]), "{seen:?}");
    assert_eq!(seen.lines.iter().filter(|line| line.contains("No such file")).count(), 3, "{seen:?}");
}

#[tokio::test]
async fn nobody_has_rights_over_the_machine() {
    let Some(bench) = Bench::with_walls().await else { return };
    let status =
        bench.sh("cat /proc/self/status; unshare -Ur true && echo nested; chmod u+s /bin/sh; exit 0").await;
    for right in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.says(&[right]), "{right}: {status:?}");
    }
    assert!(!status.says(&["nested"]), "{status:?}");
    // What a command leaves with a set-uid bit belongs to nobody of importance.
    bench.sh("cp /bin/sh left && chmod 4755 left").await;
    let left = fs::metadata(bench.path("workspace/left")).unwrap();
    assert!(left.uid() != 0 || left.permissions().mode() & 0o4000 == 0);
}

#[tokio::test]
async fn a_terminal_cannot_be_typed_into() {
    let Some(bench) = Bench::with_walls().await else { return };
    if bench.run(bench.command(&["perl", "-e", "1"])).await.exit != Exit::Code(0) {
        return;
    }
    // TIOCSTI: "not permitted" by the filter, and not merely "not a terminal".
    let script = r#"perl -e 'my $c="x"; ioctl(STDOUT, 0x5412, $c) or print "$!\n"; open my $t, "<", "/dev/tty" or print "no tty\n"; syscall(101, 0, 0, 0, 0) == -1 and print "ptrace: $!\n"'"#;
    let outcome = bench.sh(script).await;
    assert!(outcome.says(&["Operation not permitted"]) && outcome.says(&["no tty"]), "{outcome:?}");
}

//! A command that goes on until it is told to stop.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a line or an end is waited for; generous, for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// The process; dropping it kills it.
pub(crate) struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    log: PathBuf,
}

impl Running {
    pub(crate) fn start(mut command: Command, home: &Path) -> Self {
        let log = home.join("stderr.log");
        let stderr = File::options().create(true).append(true).open(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("it starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stdout, into) = (child.stdout.take().unwrap(), Arc::clone(&lines));
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                into.lock().unwrap().push(line);
            }
        });
        Self { child, lines, log }
    }

    /// Waits for a line of standard output with this text; what follows the text in it.
    pub(crate) async fn line_with(&mut self, text: &str) -> String {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            let found =
                self.lines.lock().unwrap().iter().find_map(|line| Some(line.split_once(text)?.1.to_owned()));
            if let Some(rest) = found {
                return rest.trim().to_owned();
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}:\n{}{}", self.out(), self.err());
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{text:?} is not in:\n{}{}", self.out(), self.err());
    }

    /// Standard output so far.
    pub(crate) fn out(&self) -> String {
        self.lines.lock().unwrap().iter().map(|line| format!("{line}\n")).collect()
    }

    /// Standard error so far, of all that ran in this home.
    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Sends the signal of this name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end; the exit code.
    pub(crate) async fn ended(&mut self) -> i32 {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or_else(|| panic!("it ended with {status}:\n{}", self.err()));
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("it does not end:\n{}{}", self.out(), self.err());
    }

    /// Waits for the end, whatever kind of end it is.
    pub(crate) async fn gone(&mut self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(tokio::time::Instant::now() < deadline, "it does not end:\n{}{}", self.out(), self.err());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Stops it the way a terminal does.
    pub(crate) async fn stop(&mut self) {
        self.signal("INT");
        assert_eq!(self.ended().await, 0, "{}{}", self.out(), self.err());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let log = self.err();
            assert!(!log.contains("panicked at"), "it panicked:\n{log}");
        }
    }
}

//! The thread that writes the lines, and the queue in front of it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::oneshot;

use crate::server::metrics::Metrics;

/// Lines that wait at the most.
const QUEUE_LINES: usize = 8192;
/// Pause between two looks into the queue while lines keep coming. A thread that slept in the queue would have to be
/// woken for every line, by the request.
const PAUSE: Duration = Duration::from_millis(10);
const BUFFER_BYTES: usize = 64 * 1024;
/// How often it is told that the log cannot be written.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// The way to the thread.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
}

enum Message {
    Line(Vec<u8>),
    /// Look at what else there is to do.
    Wake,
    /// Write what came before, answer, and end.
    Stop(oneshot::Sender<()>),
}

impl Writer {
    /// Opens the file, or standard output for `None`, and starts the thread.
    pub(super) fn start(file: Option<&Path>, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let target = Target::open(file)?;
        let (queue, messages) = sync_channel(QUEUE_LINES);
        let reopen = Arc::new(AtomicBool::new(false));
        let mut job = Job { target, reopen: Arc::clone(&reopen), metrics: Arc::clone(&metrics), told: None };
        thread::Builder::new()
            .name("access-log".into())
            .spawn(move || job.run(&messages))
            .context("access-log: cannot start its thread")?;
        Ok(Self { queue, reopen, metrics })
    }

    /// Puts a line into the queue, or drops it where there is no room.
    pub(super) fn write(&self, line: Vec<u8>) {
        match self.queue.try_send(Message::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.metrics.log_line_dropped(),
        }
    }

    /// Opens the file anew before the next line.
    pub(super) fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // A full queue is being worked at, and the thread looks at the flag by itself.
        let _ = self.queue.try_send(Message::Wake);
    }

    /// Asks the thread to end; yields what tells that it has. `None`: the queue is full, try again.
    pub(super) fn stop(&self) -> Option<oneshot::Receiver<()>> {
        let (tell, told) = oneshot::channel();
        match self.queue.try_send(Message::Stop(tell)) {
            // Where the thread has ended already, the receiver yields at once.
            Ok(()) | Err(TrySendError::Disconnected(_)) => Some(told),
            Err(TrySendError::Full(_)) => None,
        }
    }
}

/// What the thread works with.
struct Job {
    target: Target,
    reopen: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    /// When it was told last that something cannot be written.
    told: Option<Instant>,
}

impl Job {
    fn run(&mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            let mut next = Some(message);
            while let Some(message) = next {
                if let Some(tell) = self.take(message, messages) {
                    let _ = tell.send(());
                    return;
                }
                thread::sleep(PAUSE);
                next = messages.try_recv().ok();
            }
        }
    }

    /// Takes a message and all that wait behind it, and flushes. Yields whom to tell when that was the end.
    fn take(&mut self, first: Message, messages: &Receiver<Message>) -> Option<oneshot::Sender<()>> {
        let mut next = Some(first);
        let mut stop = None;
        while let Some(message) = next {
            if self.reopen.swap(false, Ordering::Acquire) {
                self.open_anew();
            }
            match message {
                Message::Line(line) => self.write(&line),
                Message::Wake => {}
                Message::Stop(tell) => {
                    stop = Some(tell);
                    break;
                }
            }
            next = messages.try_recv().ok();
        }
        if let Err(error) = self.target.output.flush() {
            self.tell(&error);
        }
        stop
    }

    fn write(&mut self, line: &[u8]) {
        if let Err(error) = self.target.output.write_all(line) {
            self.metrics.log_line_dropped();
            self.tell(&error);
        }
    }

    fn open_anew(&mut self) {
        if let Err(error) = self.target.output.flush() {
            self.tell(&error);
        }
        match Target::open(self.target.file.as_deref()) {
            Ok(target) => self.target = target,
            Err(error) => tracing::error!(error = format!("{error:#}"), "the old file stays in use"),
        }
    }

    fn tell(&mut self, error: &io::Error) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_INTERVAL) {
            self.told = Some(Instant::now());
            tracing::error!(%error, "cannot write the access log");
        }
    }
}

/// Where lines go. Lines are handed to the buffer whole, and it hands them on whole.
struct Target {
    file: Option<PathBuf>,
    output: BufWriter<Box<dyn Write + Send>>,
}

impl Target {
    fn open(file: Option<&Path>) -> anyhow::Result<Self> {
        let output: Box<dyn Write + Send> = match file {
            None => Box::new(io::stdout()),
            Some(file) => {
                Box::new(append_to(file).with_context(|| format!("access-log: {}", file.display()))?)
            }
        };
        let output = BufWriter::with_capacity(BUFFER_BYTES, output);
        Ok(Self { file: file.map(Path::to_owned), output })
    }
}

/// Addresses of people are not for everybody on the machine to read.
fn append_to(file: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(file)
}

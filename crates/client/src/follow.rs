//! Follows the log of a deployment while it is made.
//!
//! Our own server streams it, and a broken connection is resumed behind the last line that was seen. A server
//! without a stream, such as the real service, is asked again and again for what is new.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;
use serde::Deserialize;

use crate::api::PagesClient;
use crate::error::{ClientError, ErrorKind};
use crate::sse::{SseEvent, SseReader};
use crate::types::{Deployment, LogLine, Stage, Standing};

/// A stream that is silent for longer has broken: the server says something every 15 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How often a connection that broke is opened again without a single event in between.
const REOPENINGS_MAX: u32 = 10;
/// The longest wait between two of these.
const REOPENING_WAIT_MAX: Duration = Duration::from_secs(10);
/// The waits between two looks at a server without a stream; the last one repeats.
const LOOKS_MS: [u64; 4] = [250, 500, 1000, 2000];

/// What happens to a deployment.
#[derive(Clone, Debug)]
pub enum LogEvent {
    /// A line was written.
    Line(LogLine),
    /// A stage changed its status.
    Stage {
        /// `queued`, `initialize`, `clone_repo`, `build` or `deploy`.
        name: String,
        /// As in [`Stage`].
        status: String,
    },
    /// The deployment has ended, well or badly; nothing follows.
    End,
}

/// The events of one deployment, from its first line on.
pub struct LogFollower {
    client: PagesClient,
    project: String,
    deployment: String,
    mode: Mode,
    waiting: VecDeque<LogEvent>,
    last_id: Option<String>,
    /// Openings in a row that brought no event.
    fruitless: u32,
}

enum Mode {
    Closed,
    Streaming(Box<Response>, SseReader),
    Asking(Asking),
    Ended,
}

/// How far a server without a stream was asked.
#[derive(Default)]
struct Asking {
    lines: usize,
    stage: Stage,
    looks: usize,
}

impl PagesClient {
    /// Follows the log of a deployment, by its full id, from the first line on.
    pub fn follow_log(&self, project: &str, id: &str) -> LogFollower {
        LogFollower {
            client: self.clone(),
            project: project.to_owned(),
            deployment: id.to_owned(),
            mode: Mode::Closed,
            waiting: VecDeque::new(),
            last_id: None,
            fruitless: 0,
        }
    }
}

impl LogFollower {
    /// The next event; `None` after [`LogEvent::End`].
    ///
    /// # Errors
    /// The API refused, or could not be reached for longer than is patient. The next call tries again.
    pub async fn next(&mut self) -> Result<Option<LogEvent>, ClientError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                if matches!(event, LogEvent::End) {
                    self.mode = Mode::Ended;
                    self.waiting.clear();
                }
                return Ok(Some(event));
            }
            match &mut self.mode {
                Mode::Ended => return Ok(None),
                Mode::Closed => self.open().await?,
                Mode::Streaming(..) => self.read().await?,
                Mode::Asking(_) => self.ask().await?,
            }
        }
    }

    /// The deployment as it is now.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn deployment(&self) -> Result<Deployment, ClientError> {
        self.client.deployment(&self.project, &self.deployment).await
    }

    async fn open(&mut self) -> Result<(), ClientError> {
        let opened =
            self.client.open_log_stream(&self.project, &self.deployment, self.last_id.as_deref()).await;
        match opened {
            Ok(Some(response)) => self.mode = Mode::Streaming(Box::new(response), SseReader::default()),
            Ok(None) => self.mode = Mode::Asking(Asking::default()),
            Err(error) => self.broke(error).await?,
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), ClientError> {
        let Mode::Streaming(response, reader) = &mut self.mode else { return Ok(()) };
        let chunk = tokio::time::timeout(SILENCE_MAX, response.chunk()).await;
        let broken = match chunk {
            Ok(Ok(Some(chunk))) => match reader.push(&chunk) {
                Ok(events) => return self.heard(events),
                Err(_) => "a line of the log stream is too long",
            },
            Ok(Ok(None)) => "the log stream ended before the deployment did",
            Ok(Err(_)) => "the connection of the log stream broke",
            Err(_) => "the log stream fell silent",
        };
        self.mode = Mode::Closed;
        self.broke(ClientError::local(ErrorKind::Interrupted, "GET …/history/logs/stream", broken)).await
    }

    fn heard(&mut self, events: Vec<SseEvent>) -> Result<(), ClientError> {
        for event in events {
            self.fruitless = 0;
            if let Some(id) = &event.id {
                self.last_id = Some(id.clone());
            }
            self.waiting.extend(read_event(&event)?);
        }
        Ok(())
    }

    /// Waits before the connection is opened again, or gives up.
    async fn broke(&mut self, error: ClientError) -> Result<(), ClientError> {
        let passing = matches!(
            error.kind(),
            ErrorKind::Unreachable
                | ErrorKind::Interrupted
                | ErrorKind::TimedOut
                | ErrorKind::TooManyRequests
                | ErrorKind::ServerFault
        );
        if !passing || self.fruitless >= REOPENINGS_MAX {
            self.fruitless = 0;
            return Err(error);
        }
        let wait = Duration::from_millis(100).saturating_mul(1 << self.fruitless).min(REOPENING_WAIT_MAX);
        self.fruitless += 1;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Asks a server without a stream once. The deployment is asked first: what it has written when it ended is
    /// then all there is.
    async fn ask(&mut self) -> Result<(), ClientError> {
        let Mode::Asking(asking) = &mut self.mode else { return Ok(()) };
        if asking.looks > 0 {
            let wait = LOOKS_MS[LOOKS_MS.len().min(asking.looks) - 1];
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        asking.looks += 1;
        let deployment = self.client.deployment(&self.project, &self.deployment).await?;
        let log = self.client.deployment_log(&self.project, &self.deployment).await?;
        let known = asking.lines.min(log.data.len());
        asking.lines = log.data.len();
        self.waiting.extend(log.data.into_iter().skip(known).map(LogEvent::Line));
        if deployment.latest_stage != asking.stage {
            asking.stage = deployment.latest_stage.clone();
            let Stage { name, status, .. } = asking.stage.clone();
            self.waiting.push_back(LogEvent::Stage { name, status });
        }
        if deployment.standing() != Standing::Underway {
            self.waiting.push_back(LogEvent::End);
        }
        Ok(())
    }
}

/// Reads one event; kinds that we do not know are passed over.
fn read_event(event: &SseEvent) -> Result<Option<LogEvent>, ClientError> {
    #[derive(Deserialize)]
    struct StageEvent {
        name: String,
        status: String,
    }
    let malformed = |error: serde_json::Error| {
        let why = format!("an event of the log stream has an unknown shape: {error}");
        ClientError::local(ErrorKind::Malformed, "GET …/history/logs/stream", why)
    };
    Ok(match event.kind.as_str() {
        "line" => Some(LogEvent::Line(serde_json::from_str(&event.data).map_err(malformed)?)),
        "stage" => {
            let StageEvent { name, status } = serde_json::from_str(&event.data).map_err(malformed)?;
            Some(LogEvent::Stage { name, status })
        }
        "end" => Some(LogEvent::End),
        _ => None,
    })
}

//! Functions in processes of workerd: one deployment, one process, or several when it has much to do.
//!
//! Considered and left: one process for many deployments, at a quarter of the memory. Nothing in workerd bounds what a
//! deployment uses, so a loop or a heap that runs over in one would take all others along. Several processes of a deployment
//! do not share a listening socket either: which of them is caught in a loop could not be told.

mod answer;
mod capnp;
mod cf;
mod complaint;
mod config;
mod counters;
mod deployment;
mod directory;
mod housekeeping;
mod lost;
mod options;
mod outlets;
mod pool;
mod process;
mod program;
mod progress;
mod request;
mod room;
mod service;
mod start;
mod turn;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use offprint_sandbox::Sandbox;
use offprint_sandbox::egress::drop_hop_headers;
use offprint_store::Store;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::body::{Body, Observed, empty};
use crate::egress::Egress;
use crate::key::DeploymentKey;
use crate::pages;
use crate::runtime::{CheckFailure, Declined, FunctionRuntime, RuntimeCounts, Visitor};
use crate::tail::Wants;
use answer::AnswerBody;
use counters::Counters;
use deployment::{Deployment, Flight};
use directory::Directories;
use lost::Call;
pub use options::{FunctionLimits, UrlOf, WorkerdError, WorkerdOptions};
use outlets::House;
use process::Verdict;
use program::Program;
use progress::Progress;
use room::Rooms;
use start::NotRunning;

/// Runs Functions in processes of workerd. Clones are the same runtime.
#[derive(Clone)]
pub struct Workerd(Arc<Inner>);

struct Inner {
    program: Program,
    sandbox: Sandbox,
    store: Store,
    url_of: UrlOf,
    house: House,
    limits: FunctionLimits,
    warning: Option<String>,
    directories: Directories,
    rooms: Rooms,
    /// Turns at starting a process.
    starts: Semaphore,
    counters: Arc<Counters>,
    deployments: Mutex<HashMap<DeploymentKey, Arc<Deployment>>>,
    stop: CancellationToken,
}

impl Workerd {
    /// Tries the program out, and removes what an earlier run has left.
    ///
    /// # Errors
    /// See [`WorkerdError`].
    pub async fn start(options: WorkerdOptions) -> Result<Self, WorkerdError> {
        let doing = format!("cannot use {}", options.directory.display());
        let directories =
            Directories::open(&options.directory).map_err(|source| WorkerdError::Io { doing, source })?;
        let program = Program::try_out(&options.program, directories.root()).await?;
        let limits = options.sandbox.limited_by();
        tracing::info!(version = program.version, limits, "Functions run on workerd");
        if !options.sandbox.has_walls() {
            tracing::warn!(
                "Functions run without walls: whoever may deploy can, with a hole in workerd, read everything that \
                 this server can, its data and its secrets included"
            );
        }
        let inner = Arc::new_cyclic(|runtime| Inner {
            program,
            sandbox: options.sandbox,
            store: options.store,
            url_of: options.url_of,
            house: House {
                assets: options.assets,
                bindings: options.bindings,
                tails: options.tails,
                egress: Egress::new(options.allow),
                runtime: runtime.clone(),
            },
            limits: options.limits,
            warning: options.warning,
            directories,
            rooms: Rooms::new(options.limits),
            starts: Semaphore::new(starts_at_once()),
            counters: Arc::default(),
            deployments: Mutex::default(),
            stop: CancellationToken::new(),
        });
        tokio::spawn(housekeeping::keep(Arc::downgrade(&inner), inner.stop.clone(), inner.limits));
        Ok(Self(inner))
    }
}

/// As many as the machine can well start at a time.
fn starts_at_once() -> usize {
    2 * std::thread::available_parallelism().map_or(2, usize::from)
}

impl Inner {
    fn deployments(&self) -> MutexGuard<'_, HashMap<DeploymentKey, Arc<Deployment>>> {
        self.deployments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deployment(&self, key: &DeploymentKey) -> Arc<Deployment> {
        let mut deployments = self.deployments();
        if let Some(known) = deployments.get(key) {
            return Arc::clone(known);
        }
        let new = Arc::new(Deployment::new(key.clone()));
        deployments.insert(key.clone(), Arc::clone(&new));
        new
    }

    async fn answer(
        self: &Arc<Self>,
        key: DeploymentKey,
        visitor: Visitor,
        request: Request<Body>,
    ) -> Result<Response<Body>, Box<Declined>> {
        let wants = self.house.tails.wants(&key);
        let permit = Arc::clone(&self.rooms.project(&key.project).requests).try_acquire_owned();
        let flight = match permit {
            Err(_) => Err(NotRunning::Busy { fail_open: self.fails_open(&key).await }),
            Ok(permit) => self.patient_flight(&key, wants).await.map(|flight| flight.holding(permit)),
        };
        match flight {
            Ok(flight) => Ok(self.fly(flight, wants, visitor, request).await),
            Err(why) => {
                tracing::debug!(%key, ?why, "Functions do not run");
                let (head, _) = request.into_parts();
                // Where this machine is at fault, too, the project has its way; not where its own Functions are.
                let fail_open = match why {
                    NotRunning::Failed(_) => self.fails_open(&key).await,
                    _ => why.fails_open(),
                };
                Err(Box::new(Declined { head, fail_open, response: why.page().answer() }))
            }
        }
    }

    /// Lets a process answer.
    async fn fly(
        &self,
        flight: Flight,
        wants: Wants,
        visitor: Visitor,
        mut request: Request<Body>,
    ) -> Response<Body> {
        let is_upgrade = request::upgrade_of(request.headers()).is_some();
        let client = is_upgrade.then(|| hyper::upgrade::on(&mut request));
        request::prepare(&mut request, &visitor, wants);
        let call = Call::of(&self.house.tails, &flight.plan.key, &request);
        let uploaded = Progress::default();
        let pieces = uploaded.clone();
        let request = request.map(|body| {
            let note = move |_| {
                pieces.made();
                Ok(())
            };
            Observed::new(body, note).boxed_unsync()
        });
        let process = Arc::clone(&flight.process);
        let sent = tokio::select! {
            sent = process.pool.send(request) => sent,
            () = nothing_moves(&uploaded, self.limits.answer) => return pages::TIMED_OUT.answer(),
        };
        let (mut response, connection) = match sent {
            Ok(sent) => sent,
            Err(error) => {
                tracing::debug!(key = %flight.plan.key, %error, "a process gave no answer");
                let verdict = Call::broke(&process).await;
                if verdict.is_some() {
                    flight.deployment.process_ended(&process);
                }
                let answer = no_answer(verdict);
                verdict.inspect(|verdict| call.tell(*verdict, answer.status().as_u16()));
                return answer;
            }
        };
        process.progress.made();
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return match client {
                Some(client) => {
                    crate::upgrade::join(client, hyper::upgrade::on(&mut response), (flight, connection));
                    response.map(|_| empty())
                }
                None => pages::NOT_ASKED_FOR.answer(),
            };
        }
        drop_hop_headers(response.headers_mut());
        let status = response.status().as_u16();
        response.map(|body| AnswerBody::new(body, flight, connection, (call, status)).boxed_unsync())
    }
}

/// Returns when no piece of a request has come for this long, or for up to twice as long.
async fn nothing_moves(uploaded: &Progress, most: Duration) {
    loop {
        let before = uploaded.so_far();
        sleep(most).await;
        if uploaded.so_far() == before {
            return;
        }
    }
}

/// What is said in place of an answer that did not come, by why its process has ended.
fn no_answer(verdict: Option<Verdict>) -> Response<Body> {
    match verdict {
        Some(Verdict::Spinning) => pages::SPINNING.answer(),
        Some(Verdict::Memory) => pages::OUT_OF_MEMORY.answer(),
        Some(Verdict::Stopped | Verdict::Crashed) | None => pages::CRASHED.answer(),
    }
}

impl FunctionRuntime for Workerd {
    fn answer(
        &self,
        key: DeploymentKey,
        visitor: Visitor,
        request: Request<Body>,
    ) -> BoxFuture<'_, Result<Response<Body>, Box<Declined>>> {
        Box::pin(self.0.answer(key, visitor, request))
    }

    fn check(&self, key: DeploymentKey) -> BoxFuture<'_, Result<Vec<String>, CheckFailure>> {
        Box::pin(self.0.check(key))
    }

    fn forget(&self, key: DeploymentKey) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let known = self.0.deployments().remove(&key);
            let Some(deployment) = known else { return };
            deployment.delete();
            let processes = deployment.take();
            processes.iter().for_each(|process| process.end(Verdict::Stopped));
            join_all(processes.iter().map(|process| process.ended())).await;
        })
    }

    fn live_processes(&self) -> usize {
        self.0.rooms.taken()
    }

    fn counts(&self) -> RuntimeCounts {
        self.0.counters.read()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.0.stop.cancel();
            let deployments: Vec<_> =
                self.0.deployments().drain().map(|(_, deployment)| deployment).collect();
            // What is just starting ends as soon as it has started.
            deployments.iter().for_each(|deployment| deployment.delete());
            let processes: Vec<_> = deployments.iter().flat_map(|deployment| deployment.take()).collect();
            processes.iter().for_each(|process| process.drain());
            join_all(processes.iter().map(|process| process.ended())).await;
        })
    }
}

//! One thread that starts all helpers.
//!
//! bwrap asks the kernel to be killed when its parent dies, and to the kernel the parent is the *thread* that
//! started it. A thread of a pool may end at any time; this one lives as long as the sandbox does.

use std::io;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

type Request = (Command, oneshot::Sender<io::Result<Child>>);

/// A handle to the thread.
#[derive(Clone, Debug)]
pub(crate) struct Spawner(mpsc::UnboundedSender<Request>);

impl Spawner {
    /// Starts the thread. Needs a runtime around it, which will look after the children.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Handle::current();
        let (sender, mut requests) = mpsc::unbounded_channel::<Request>();
        thread::Builder::new().name("sandbox-spawner".into()).spawn(move || {
            let _entered = runtime.enter();
            while let Some((mut command, answer)) = requests.blocking_recv() {
                // Whoever asked has gone: the child is killed when it is dropped here.
                let _ = answer.send(command.spawn());
            }
        })?;
        Ok(Self(sender))
    }

    /// Starts a program.
    pub(crate) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, child) = oneshot::channel();
        let gone = || io::Error::other("the spawner has ended");
        self.0.send((command, answer)).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

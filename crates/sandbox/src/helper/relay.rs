//! Brings the sandbox's own loopback to the egress proxy's socket, for clients that only know host and port.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;

use tokio::net::{TcpStream, UnixStream};

use super::RELAY_PORT;

/// Listens from now on; serves in a thread of its own.
pub(super) fn start(egress: PathBuf) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, RELAY_PORT))?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name("relay".into()).spawn(move || runtime.block_on(serve(listener, &egress)))?;
    Ok(())
}

async fn serve(listener: TcpListener, egress: &Path) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        // Out of descriptors, for one, passes when connections end; the next attempt follows a moment later.
        let Ok((client, _)) = listener.accept().await else {
            thread::sleep(std::time::Duration::from_millis(10));
            continue;
        };
        let egress = egress.to_owned();
        tokio::spawn(async move { pipe(client, &egress).await });
    }
}

async fn pipe(mut client: TcpStream, egress: &Path) -> io::Result<()> {
    let mut proxy = UnixStream::connect(egress).await?;
    tokio::io::copy_bidirectional(&mut client, &mut proxy).await?;
    Ok(())
}

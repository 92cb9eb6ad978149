//! Pipes standard input and output through the egress proxy: ssh's ProxyCommand.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use super::{EGRESS_SOCKET, NETWORK_INSIDE};

/// The proxy's answer has a status line and a few headers.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Connects, and returns when the other side has closed.
pub(super) fn run(host: &str, port: &str) -> io::Result<ExitCode> {
    let bad = host.contains(|c: char| c.is_whitespace() || c.is_control()) || port.parse::<u16>().is_err();
    if bad {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no host and port"));
    }
    let mut proxy = UnixStream::connect(Path::new(NETWORK_INSIDE).join(EGRESS_SOCKET))?;
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    write!(proxy, "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n")?;
    let head = read_head(&mut proxy)?;
    if !head.starts_with("HTTP/1.1 200") {
        // The reason is the body; the proxy closes behind a refusal.
        let mut reason = String::new();
        proxy.set_read_timeout(Some(std::time::Duration::from_secs(1)))?;
        let _ = proxy.take(HEAD_BYTES_MAX as u64).read_to_string(&mut reason);
        return Err(io::Error::other(format!("the proxy refuses: {}", reason.trim())));
    }
    let mut upstream = proxy.try_clone()?;
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut upstream);
        let _ = upstream.shutdown(Shutdown::Write);
    });
    let mut stdout = io::stdout();
    let mut buffer = [0; 16 * 1024];
    loop {
        match proxy.read(&mut buffer)? {
            0 => return Ok(ExitCode::SUCCESS),
            // A terminal protocol waits for every byte: nothing may rest in a buffer.
            length => {
                stdout.write_all(&buffer[..length])?;
                stdout.flush()?;
            }
        }
    }
}

/// Byte by byte, since what follows the head belongs to the tunnel.
fn read_head(proxy: &mut UnixStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        proxy.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

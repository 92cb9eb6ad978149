//! The helper: what this program does when it is started to enter a sandbox.

mod confine;
mod connect;
mod enter;
mod hold;
mod relay;
mod sweep;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// Where the helper is inside.
pub(crate) const PROGRAM_INSIDE: &str = "/run/offprint/helper";
/// Where the egress proxy's directory is inside.
pub(crate) const NETWORK_INSIDE: &str = "/run/offprint/network";
/// The egress proxy's socket in its directory.
pub(crate) const EGRESS_SOCKET: &str = "egress";
/// The port of the relay on the sandbox's own loopback.
pub(crate) const RELAY_PORT: u16 = 3128;

/// The control socket: standard input, which goes both ways here. Not by way of [`io::stdin`]'s buffer, which would take
/// more than one message off it.
fn control_socket() -> io::Result<UnixStream> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// What ssh runs inside to reach the network.
pub(crate) fn ssh_proxy(args: &[String]) -> String {
    format!("{PROGRAM_INSIDE} {} connect %h %p", args.join(" "))
}

/// Runs one of the helper's parts, by its name in the first argument:
///
/// - `enter`: leaves root's rights behind and becomes the program that makes the walls,
/// - `hold`: is process 1 inside and runs the command,
/// - `connect HOST PORT`: pipes its input and output through the egress proxy, for ssh's ProxyCommand.
///
/// Call it before threads are started.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<String> =
        args.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args[..] {
        ["enter"] => enter::run().map(|()| ExitCode::SUCCESS),
        ["hold"] => hold::run(),
        ["connect", host, port] => connect::run(host, port),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "this is for the server's own use")),
    };
    outcome.unwrap_or_else(|error| {
        // Standard output and error are the same pipe while a command runs.
        let _ = writeln!(io::stderr(), "sandbox: {error}");
        ExitCode::FAILURE
    })
}

//! What the server and its helper tell each other over the control socket.
//!
//! The server sends [`Entry`] and [`Orders`], the helper answers with a few [`Report`]s. Each is JSON behind its
//! length, so that a reader takes exactly its own message off the socket and leaves the next to the program that
//! it becomes.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longer messages are not ours.
const MESSAGE_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// How to get inside: for `helper enter`, which becomes `program`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What to become, and its arguments.
    pub(crate) program: PathBuf,
    /// The arguments.
    pub(crate) args: Vec<String>,
    /// For a server that is root.
    pub(crate) descent: Option<Descent>,
}

/// How root becomes an ordinary user that can reach a few directories all the same.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Descent {
    /// User and group to become.
    pub(crate) user: u32,
    /// What is to be found at [`staged`] 0, 1 and so on.
    pub(crate) staged: Vec<PathBuf>,
}

/// Where a staged path is found after the descent. `/tmp` is on every machine and may be walked through by
/// everybody; the process has one of its own by then.
pub(crate) fn staged(number: usize) -> String {
    format!("/tmp/{number}")
}

/// What to run: for `helper hold`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// The whole environment.
    pub(crate) env: Vec<(String, String)>,
    /// Where to start.
    pub(crate) workdir: PathBuf,
    /// Whether there are walls around; without them the helper has to look after orphans.
    pub(crate) walls: bool,
    /// The egress proxy's socket, when there is to be a relay to it.
    pub(crate) egress: Option<PathBuf>,
    /// Resource limits of the kernel.
    pub(crate) rlimits: Rlimits,
    /// The helper's standard output is a socket, which becomes the command's standard input. Messages of both then go
    /// to standard error.
    pub(crate) serves: bool,
}

/// After the orders, this byte asks the helper to ask the command to end.
pub(crate) const TERMINATE: u8 = b'T';

/// Limits that each process carries; `None` leaves it as it is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rlimits {
    /// Processes of this user, in this user namespace.
    pub(crate) processes: Option<u64>,
    /// Bytes in one file.
    pub(crate) file_bytes: Option<u64>,
    /// Bytes of private memory in one process.
    pub(crate) data_bytes: Option<u64>,
    /// To run on this many CPUs only.
    pub(crate) cpus: Option<u32>,
}

/// What the helper says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The command runs.
    Started,
    /// It could not be started.
    Failed(String),
    /// It ended by itself.
    Exited(i32),
    /// It ended by a signal.
    Signaled(i32),
}

/// A message as bytes.
pub(crate) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= MESSAGE_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "too long a message"))?;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(body);
    Ok(bytes)
}

/// Writes one message.
pub(crate) fn write<T: Serialize>(mut to: impl Write, message: &T) -> io::Result<()> {
    to.write_all(&encode(message)?)
}

/// Reads one message and not a byte more.
pub(crate) fn read<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut body = vec![0; body_length(length)?];
    from.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// How long the body behind these four bytes is.
pub(crate) fn body_length(length: [u8; 4]) -> io::Result<usize> {
    match u32::from_le_bytes(length) {
        length if length <= MESSAGE_BYTES_MAX => Ok(length as usize),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "too long a message")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_leaves_the_next_message_alone() {
        let mut bytes = encode(&Report::Started).unwrap();
        bytes.extend(encode(&Report::Exited(3)).unwrap());
        let mut stream = bytes.as_slice();
        assert_eq!(read::<Report>(&mut stream).unwrap(), Report::Started);
        assert_eq!(read::<Report>(&mut stream).unwrap(), Report::Exited(3));
        assert!(read::<Report>(&mut stream).is_err());
    }
}

//! SQLite files of contents: how they are made and opened.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{ResourceError, Result};

/// How long a connection waits for another of this process: only while one file is open twice, which it is for a
/// moment when it was closed for being idle and is wanted again.
const BUSY: Duration = Duration::from_secs(30);

/// What every connection to contents is told. A commit is durable before it returns.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -2000; PRAGMA journal_size_limit = 16777216; PRAGMA trusted_schema = OFF";

/// What stands beside a SQLite file that is in use.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Makes a new file with this schema. It has its name once it is whole and durable.
pub(crate) fn make(path: &Path, schema: &str) -> Result<()> {
    let draft = path.with_extension("new");
    remove(&draft)?;
    let connection = Connection::open(&draft)?;
    connection.execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL")?;
    connection.execute_batch(SETTINGS)?;
    connection.execute_batch(schema)?;
    connection.close().map_err(|(_, error)| error)?;
    fs::File::open(&draft).and_then(|file| file.sync_all()).map_err(ResourceError::io(&draft))?;
    fs::rename(&draft, path).map_err(ResourceError::io(path))?;
    sync_directory_of(path)
}

/// Opens a file that is there, to read and write.
///
/// # Errors
/// `Gone` when it is not there.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    if !path.exists() {
        return Err(ResourceError::Gone);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

/// Another connection to a file that is open, to read only.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let connection = open(path)?;
    connection.execute_batch("PRAGMA query_only = ON")?;
    Ok(connection)
}

/// Makes a directory for the temporary files of connections that sort and gather in files: SQLite's own choice is the
/// system's, which may be in memory, or too small, and is others' as well. It is SQLite's setting for the whole
/// process, and the last call counts; a directory that is gone is passed over for the system's. The files have no
/// names, so a server that is killed leaves none.
pub(crate) fn sort_in(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(ResourceError::io(directory))?;
    let path = directory.canonicalize().map_err(ResourceError::io(directory))?;
    Connection::open_in_memory()?.pragma_update(None, "temp_store_directory", path.to_string_lossy())?;
    Ok(())
}

/// Removes a file and what stands beside it. Those that are not there are passed over.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let beside = COMPANIONS.iter().map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    // The file itself first: without it, what stands beside means nothing.
    for path in std::iter::once(path.to_owned()).chain(beside) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ResourceError::io(path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn sync_directory_of(path: &Path) -> Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    fs::File::open(directory).and_then(|file| file.sync_all()).map_err(ResourceError::io(directory))
}

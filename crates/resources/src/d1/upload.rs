//! Files of SQL that were uploaded to be run.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use md5::{Digest, Md5};
use offprint_model::id::ResourceId;

use crate::error::{ResourceError, Result};

/// Uploads that nobody has run in so long go.
const KEPT_FOR: Duration = Duration::from_secs(2 * 60 * 60);

/// The directory of uploads.
pub(super) struct Uploads {
    directory: PathBuf,
    next: AtomicU64,
}

/// A file that is being uploaded; removed when dropped before its end.
pub struct SqlUpload {
    file: File,
    draft: PathBuf,
    path: PathBuf,
    md5: Md5,
    expected: String,
}

impl Uploads {
    /// Uploads of an earlier process are of no use: nobody knows of them.
    pub(super) fn open(directory: PathBuf) -> Result<Self> {
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(ResourceError::io(&directory))?;
        Ok(Self { directory, next: AtomicU64::new(0) })
    }

    /// Begins an upload for a database; `md5` is that of the whole file, 32 hex digits.
    pub(super) fn begin(&self, database: &ResourceId, md5: &str) -> Result<SqlUpload> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let draft = self.directory.join(format!("{number}.part"));
        let file = File::create_new(&draft).map_err(ResourceError::io(&draft))?;
        Ok(SqlUpload { file, draft, path: self.path(database, md5), md5: Md5::new(), expected: md5.into() })
    }

    /// An upload that is complete.
    pub(super) fn take(&self, database: &ResourceId, md5: &str) -> Option<File> {
        let path = self.path(database, md5);
        let file = File::open(&path).ok()?;
        // It stays readable without its name.
        let _ = fs::remove_file(path);
        Some(file)
    }

    pub(super) fn sweep(&self) -> Result<()> {
        for entry in fs::read_dir(&self.directory).map_err(ResourceError::io(&self.directory))? {
            let path = entry.map_err(ResourceError::io(&self.directory))?.path();
            let age = fs::metadata(&path).and_then(|found| found.modified()).map(|at| at.elapsed());
            if matches!(age, Ok(Ok(age)) if age > KEPT_FOR) {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Ids are our own, and so are digits.
    fn path(&self, database: &ResourceId, md5: &str) -> PathBuf {
        let digits: String = md5.chars().filter(char::is_ascii_hexdigit).collect();
        Path::new(&self.directory).join(format!("{database}-{digits}.sql"))
    }
}

impl SqlUpload {
    /// Adds what follows. Waits for the disk.
    ///
    /// # Errors
    /// The disk fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.md5.update(bytes);
        self.file.write_all(bytes).map_err(ResourceError::io(&self.draft))
    }

    /// Ends the upload. `false`: it is another file than was announced.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(self) -> Result<bool> {
        let digest: [u8; 16] = self.md5.clone().finalize().into();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if hex != self.expected {
            return Ok(false);
        }
        fs::rename(&self.draft, &self.path).map_err(ResourceError::io(&self.path))?;
        Ok(true)
    }
}

impl Drop for SqlUpload {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.draft);
    }
}

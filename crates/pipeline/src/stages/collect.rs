//! The first step of a version's build: writes its files to where a clone would be.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use offprint_store::SourceFile;

use super::{Context, StageError};
use crate::ingest::{batches, blocking};
use crate::workspace::make_private;

/// What is said of a version whose bytes are not there any more.
pub(crate) const LOST: &str = "Files of the version are lost; write them again.";

/// Writes the files of a version into the workspace. The inner error is the author's.
pub(super) async fn run(ctx: &Context<'_>, files: &[SourceFile]) -> Result<Result<(), String>, StageError> {
    let (bytes, most) = (files.iter().map(|file| file.size).sum::<u64>(), ctx.options().limits.disk_bytes);
    if bytes > most {
        return Ok(Err(format!("The version has {bytes} bytes, and a build may use {most} on the disk.")));
    }
    for batch in batches(files, |file| file.size) {
        if ctx.stop.is_cancelled() {
            return Err(StageError::Stopped);
        }
        let mut read = Vec::with_capacity(batch.len());
        for file in batch {
            let Some(bytes) = ctx.builds.store.source_file(file).await? else { return Ok(Err(LOST.into())) };
            read.push((file.path.as_str().trim_start_matches('/').to_owned(), bytes));
        }
        let workspace = ctx.dirs.workspace();
        let written = blocking(move || write_all(&workspace, &read)).await;
        if let Err(why) = written.map_err(StageError::io("write the files of a version"))? {
            return Ok(Err(why));
        }
    }
    ctx.log.say(format!("Wrote {} files.", files.len())).await;
    Ok(Ok(()))
}

fn write_all(workspace: &Path, files: &[(String, Bytes)]) -> io::Result<Result<(), String>> {
    for (path, bytes) in files {
        let Err(error) = write(&workspace.join(path), bytes) else { continue };
        let why = match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
                "a file or directory of the version stands in its way"
            }
            ErrorKind::InvalidFilename => "its name is too long",
            _ => return Err(error),
        };
        return Ok(Err(format!("{path} cannot be written: {why}. Rename or remove it.")));
    }
    Ok(Ok(()))
}

/// A version keeps no modes: what says by which program it is run may be run.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        make_private(directory)?;
    }
    let mode = if bytes.starts_with(b"#!") { 0o755 } else { 0o644 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn written(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<(), String>) {
        let workspace = tempfile::tempdir().unwrap();
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), Bytes::from((*text).to_owned()));
        let files: Vec<_> = files.iter().map(owned).collect();
        let done = write_all(workspace.path(), &files).unwrap();
        (workspace, done)
    }

    #[test]
    fn files_lie_where_they_belong_and_scripts_can_be_run() {
        let (workspace, done) = written(&[("index.html", "<h1>"), ("tools/build", "#!/bin/sh\n")]);
        assert_eq!(done, Ok(()));
        let runs = |name: &str| {
            let metadata = std::fs::metadata(workspace.path().join(name)).unwrap();
            metadata.permissions().mode() & 0o100 != 0
        };
        assert!(runs("tools/build") && !runs("index.html"));
    }

    #[test]
    fn what_cannot_be_a_file_is_named() {
        let long = "x".repeat(300);
        for files in [&[("a", ""), ("a/b", "")][..], &[("a/b", ""), ("a", "")], &[(&long, "")]] {
            let why = written(files).1.unwrap_err();
            assert!(why.starts_with(files[files.len() - 1].0) && why.contains("cannot be written"), "{why}");
        }
    }
}

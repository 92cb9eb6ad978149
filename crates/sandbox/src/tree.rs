//! Directory trees that hostile programs have made: how much is in them, whose they are, and their end.
//!
//! No function here follows a link, and the depth of a tree costs neither stack nor open files.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

/// What an entry costs besides its blocks; so a million empty files are not for free.
pub(crate) const ENTRY_BYTES: u64 = 256;

/// Bytes on disk below a path. A tree deeper than a path may be long counts as endless. Errors are not told: what
/// vanishes while it is counted is gone, and what may not be read is small.
pub(crate) fn disk_bytes(root: &Path) -> u64 {
    let mut bytes = 0_u64;
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::InvalidFilename => return u64::MAX,
            entries => entries.into_iter().flatten().flatten(),
        };
        for entry in entries {
            // Does not follow links.
            let Ok(metadata) = entry.metadata() else { continue };
            bytes = bytes.saturating_add(metadata.blocks() * 512 + ENTRY_BYTES);
            if metadata.is_dir() {
                open.push(entry.path());
            }
        }
    }
    bytes
}

/// Gives everything below a path to a user. Only while no program runs that could change the tree meanwhile.
pub(crate) fn give(root: &Path, user: u32) -> io::Result<()> {
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.uid() != user || metadata.gid() != user {
            lchown(&path, Some(user), Some(user))?;
        }
        if metadata.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        }
    }
    Ok(())
}

/// Removes a file or directory with all that is in it; no error when there is none.
///
/// Works at one level: a directory that holds directories first moves them up beside itself, so that no path
/// becomes too long, whatever a program has made.
///
/// # Errors
/// Something cannot be removed.
pub fn remove_tree(root: &Path) -> io::Result<()> {
    match fs::symlink_metadata(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.is_dir() => return fs::remove_file(root),
        Ok(_) => {}
    }
    let mut moved = 0_u64;
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        // The program may have taken the rights away.
        let _ = fs::set_permissions(&directory, Permissions::from_mode(0o700));
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            } else if directory == root {
                open.push(entry.path());
            } else {
                let _ = fs::set_permissions(entry.path(), Permissions::from_mode(0o700));
                let beside = free_name(root, &mut moved);
                fs::rename(entry.path(), &beside)?;
                open.push(beside);
            }
        }
        if directory != root {
            fs::remove_dir(&directory)?;
        }
    }
    fs::remove_dir(root)
}

fn free_name(root: &Path, moved: &mut u64) -> PathBuf {
    loop {
        *moved += 1;
        let name = root.join(format!(".removed-{moved}"));
        if fs::symlink_metadata(&name).is_err() {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_neither_counted_through_nor_followed_when_removing() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("big"), vec![1; 1 << 20]).unwrap();
        let root = tempfile::tempdir().unwrap().keep();
        fs::create_dir_all(root.join("a/b")).unwrap();
        symlink(outside.path(), root.join("a/out")).unwrap();
        symlink(outside.path().join("big"), root.join("big")).unwrap();
        assert!(disk_bytes(&root) < 1 << 16, "{}", disk_bytes(&root));
        fs::set_permissions(root.join("a"), Permissions::from_mode(0o000)).unwrap();
        remove_tree(&root).unwrap();
        assert!(!root.exists() && outside.path().join("big").exists());
        remove_tree(&root).unwrap();
    }

    #[test]
    fn empty_files_count_and_sparse_ones_hardly() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..100 {
            fs::write(root.path().join(number.to_string()), "").unwrap();
        }
        assert!(disk_bytes(root.path()) >= 100 * ENTRY_BYTES);
        fs::File::create(root.path().join("sparse")).unwrap().set_len(1 << 40).unwrap();
        assert!(disk_bytes(root.path()) < 1 << 20);
    }

    #[test]
    fn a_tree_deeper_than_a_path_is_endless_and_can_be_removed() {
        let root = tempfile::tempdir().unwrap().keep();
        let deep = "d".repeat(200);
        let command =
            format!("i=0; while [ $i -lt 30 ]; do mkdir {deep} && cd -P {deep} || exit 1; i=$((i+1)); done");
        let made =
            std::process::Command::new("sh").args(["-c", &command]).current_dir(&root).status().unwrap();
        assert!(made.success());
        assert_eq!(disk_bytes(&root), u64::MAX);
        remove_tree(&root).unwrap();
        assert!(!root.exists());
    }
}

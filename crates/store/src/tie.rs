//! What ties a data directory to its PostgreSQL database.
//!
//! Blobs that no row of the metadata names are removed after a while. So a directory that is opened with another
//! database than its own, or with none because somebody forgot to name it, would lose all its blobs. A file in the
//! directory and a row in the database hold the same random id, made when the two first met.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use uuid::Uuid;

use crate::db::{Db, Rows, values};
use crate::error::{CannotOpen, Result, StoreError};
use crate::lock::blocking;

const FILE: &str = "postgres.id";
const ID: &str = "SELECT v FROM setting WHERE k = 'store_id'";
const ADD_ID: &str = "INSERT INTO setting (k, v) VALUES ('store_id', $1) ON CONFLICT DO NOTHING";

/// Whether the metadata of a directory is in PostgreSQL.
pub(crate) fn is_tied(data: &Path) -> bool {
    data.join(FILE).is_file()
}

/// Checks that directory and database belong together, or ties them when neither was tied before. To be called by one
/// process at a time.
pub(crate) async fn tie(data: &Path, db: &Db) -> Result<()> {
    let path = data.join(FILE);
    let in_directory = match fs::read_to_string(&path) {
        Ok(id) => Some(id.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(StoreError::io(path)(error)),
    };
    let known = db.one(ID, values![]).await?;
    let in_database = known.map(|row| row.get::<String>("v")).transpose()?;
    match (in_directory, in_database) {
        (Some(directory), Some(database)) if directory == database => Ok(()),
        (Some(_), _) => Err(CannotOpen::OtherDatabase.into()),
        // A directory that was restored from a backup without the file, or a second one with the same key.
        (None, Some(id)) => write(&path, id).await,
        (None, None) => {
            let tx = db.write("tie").await?;
            tx.run(ADD_ID, values![Uuid::new_v4().simple().to_string()]).await?;
            let row = tx.one(ID, values![]).await?;
            let row = row.ok_or_else(|| StoreError::Corrupt("the id of the store is missing".into()))?;
            tx.commit().await?;
            write(&path, row.get("v")?).await
        }
    }
}

/// Writes the file, durably and as a whole.
async fn write(path: &Path, id: String) -> Result<()> {
    let path = path.to_owned();
    blocking(move || {
        let draft = path.with_extension("new");
        let written = File::create(&draft).and_then(|mut file| {
            writeln!(file, "{id}")?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        });
        written.map_err(StoreError::io(path.clone()))
    })
    .await
}

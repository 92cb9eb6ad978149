-- What is in R2 buckets. A database of its own, so that uploads of Functions wait for one another and not for
-- deployments; collection asks it before it removes a blob. Times are microseconds since the Unix epoch.

CREATE TABLE object (
    -- The bucket's id.
    bucket   TEXT NOT NULL,
    key      TEXT NOT NULL,
    -- Never the same twice, so it names the object's parts.
    version  TEXT NOT NULL,
    size     INTEGER NOT NULL,
    etag     TEXT NOT NULL,
    uploaded INTEGER NOT NULL,
    -- JSON with "v".
    metadata TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

-- The bytes of an object: those of its parts, one after the other.
CREATE TABLE object_part (
    version TEXT NOT NULL,
    n       INTEGER NOT NULL,
    hash    BLOB NOT NULL,
    size    INTEGER NOT NULL,
    PRIMARY KEY (version, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX object_part_hash ON object_part (hash);

-- Multipart uploads under way.
CREATE TABLE upload (
    id       TEXT PRIMARY KEY,
    bucket   TEXT NOT NULL,
    key      TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_created ON upload (created);

CREATE TABLE upload_part (
    upload TEXT NOT NULL,
    n      INTEGER NOT NULL,
    etag   TEXT NOT NULL,
    md5    BLOB NOT NULL,
    hash   BLOB NOT NULL,
    size   INTEGER NOT NULL,
    PRIMARY KEY (upload, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_part_hash ON upload_part (hash);

-- Blobs that nothing names any more, with the time since when: who reads them may finish.
CREATE TABLE released (
    hash BLOB PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX released_at ON released (at);

-- Buckets that are being deleted, or were: nothing is put into them any more.
CREATE TABLE closed_bucket (
    bucket TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

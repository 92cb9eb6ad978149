-- What bindings lead to: KV namespaces, D1 databases, R2 buckets. Their contents are kept elsewhere, so that a busy
-- Function does not stand in the way of a deployment.
CREATE TABLE resource (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Also the name of its file, so never used twice.
    id          TEXT NOT NULL UNIQUE,
    account_seq INTEGER NOT NULL REFERENCES account (seq),
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    created     INTEGER NOT NULL,
    UNIQUE (account_seq, kind, name)
) STRICT;

-- Deployments that are built from a repository. They have a site only once their build has attached one.
ALTER TABLE deployment ADD COLUMN built INTEGER NOT NULL DEFAULT 0;
-- Whether what is built comes from strangers: it sees no secrets and changes no settings.
ALTER TABLE deployment ADD COLUMN untrusted INTEGER NOT NULL DEFAULT 0;
-- The number of the pull request that was approved to be built.
ALTER TABLE deployment ADD COLUMN pull_request INTEGER;
CREATE INDEX deployment_label ON deployment (project_seq, label, seq DESC) WHERE deleted IS NULL;

-- Uploads and builds wait in queues of their own. A dropped job is one that nobody is to finish: its deployment
-- was deleted, canceled, or superseded.
ALTER TABLE job ADD COLUMN kind TEXT NOT NULL DEFAULT 'upload';
DROP INDEX job_open;
CREATE INDEX job_open ON job (kind, seq) WHERE state IN ('ready', 'leased');
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'leased';

-- How often the build cache was asked to be emptied: a cache with another number is not used.
ALTER TABLE project ADD COLUMN cache_epoch INTEGER NOT NULL DEFAULT 0;
-- When somebody last looked for new commits; empty when nobody has.
ALTER TABLE project ADD COLUMN polled INTEGER;
-- Whether `source_head` says what the branches pointed at then; it may be that there were none.
ALTER TABLE project ADD COLUMN heads_known INTEGER NOT NULL DEFAULT 0;

-- Webhook secret, token, keys: encrypted, each under its name.
CREATE TABLE source_credential (
    project_seq INTEGER NOT NULL REFERENCES project (seq),
    name        TEXT NOT NULL,
    sealed      TEXT NOT NULL,
    PRIMARY KEY (project_seq, name)
) STRICT, WITHOUT ROWID;

-- The id of a hook is its secret: found by its hash, and encrypted to be shown again.
CREATE TABLE deploy_hook (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_seq INTEGER NOT NULL REFERENCES project (seq),
    hash        BLOB NOT NULL UNIQUE,
    sealed      TEXT NOT NULL,
    name        TEXT NOT NULL,
    branch      TEXT NOT NULL,
    created     INTEGER NOT NULL,
    UNIQUE (project_seq, branch)
) STRICT;

-- Webhook calls that were heard, so that none is heard twice. A replayed body may come under a new id.
CREATE TABLE delivery (
    project_seq INTEGER NOT NULL REFERENCES project (seq),
    id          TEXT NOT NULL,
    digest      BLOB NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (project_seq, id),
    UNIQUE (project_seq, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_at ON delivery (at);

CREATE TABLE pull_request (
    project_seq    INTEGER NOT NULL REFERENCES project (seq),
    number         INTEGER NOT NULL,
    title          TEXT NOT NULL,
    branch         TEXT NOT NULL,
    commit_hash    TEXT NOT NULL,
    commit_message TEXT NOT NULL,
    fork           INTEGER NOT NULL,
    open           INTEGER NOT NULL,
    -- The commit that a person allowed to be built; worth nothing once the head is another.
    approved       TEXT,
    -- The comment that says how its deployments are, at the forge.
    comment_id     TEXT,
    PRIMARY KEY (project_seq, number)
) STRICT, WITHOUT ROWID;

-- What the branches of a polled repository pointed at when somebody last looked.
CREATE TABLE source_head (
    project_seq INTEGER NOT NULL REFERENCES project (seq),
    branch      TEXT NOT NULL,
    commit_hash TEXT NOT NULL,
    PRIMARY KEY (project_seq, branch)
) STRICT, WITHOUT ROWID;

-- Deployments whose state a forge is still to be told. A change while somebody tells it makes a new version, which
-- is told as well.
CREATE TABLE feedback (
    deployment_seq INTEGER PRIMARY KEY REFERENCES deployment (seq),
    version        INTEGER NOT NULL DEFAULT 1,
    due            INTEGER NOT NULL,
    failures       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX feedback_due ON feedback (due, deployment_seq);

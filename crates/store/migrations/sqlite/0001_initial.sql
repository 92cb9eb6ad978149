-- Times are microseconds since the Unix epoch, UTC. Ids that clients see are text; `seq` columns are our own,
-- never reused, and grow in the order in which things were asked for. Text columns with JSON carry "v".

CREATE TABLE setting (
    k TEXT PRIMARY KEY,
    v TEXT NOT NULL
) STRICT;

-- The revision of the routing table: every change of it takes the next number.
CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counter (name, value) VALUES ('routing', 0);

CREATE TABLE account (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    name    TEXT NOT NULL,
    email   TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE token (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    account_seq INTEGER NOT NULL REFERENCES account (seq),
    name        TEXT NOT NULL,
    permission  TEXT NOT NULL,
    -- The first eight bytes of the hash find the row; the whole hash is compared in constant time.
    lookup      INTEGER NOT NULL,
    hash        BLOB NOT NULL UNIQUE,
    created     INTEGER NOT NULL,
    expires     INTEGER,
    last_used   INTEGER
) STRICT;
CREATE INDEX token_lookup ON token (lookup);
CREATE INDEX token_account ON token (account_seq, seq);

-- A row vouches for its bytes: they were durable under their name before the row was committed.
CREATE TABLE blob (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    hash    BLOB NOT NULL UNIQUE,
    size    INTEGER NOT NULL,
    -- When it was last stored or lost its last pin: the grace time runs from here.
    touched INTEGER NOT NULL
) STRICT;

CREATE TABLE asset_key (
    account_seq        INTEGER NOT NULL REFERENCES account (seq),
    key                TEXT NOT NULL,
    blob_id            INTEGER NOT NULL REFERENCES blob (id),
    content_type       TEXT NOT NULL,
    -- The extension for which the key is the right one, as far as known.
    verified_extension TEXT,
    refreshed          INTEGER NOT NULL,
    PRIMARY KEY (account_seq, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_key_blob ON asset_key (blob_id);

-- The content of a build, named by its document. Its pins are written once, with it.
CREATE TABLE site (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    hash     BLOB NOT NULL UNIQUE,
    pins     INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    -- When every byte was first seen in its place.
    sealed   INTEGER,
    -- When the last deployment let go of it; its pins go with the next collection.
    released INTEGER
) STRICT;
CREATE INDEX site_released ON site (released) WHERE released IS NOT NULL;

CREATE TABLE pin (
    site_id INTEGER NOT NULL REFERENCES site (id),
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    PRIMARY KEY (site_id, blob_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX pin_blob ON pin (blob_id);

CREATE TABLE project (
    seq               INTEGER PRIMARY KEY AUTOINCREMENT,
    id                TEXT NOT NULL UNIQUE,
    account_seq       INTEGER NOT NULL REFERENCES account (seq),
    -- Part of a host name, so unique among all accounts.
    name              TEXT NOT NULL UNIQUE,
    production_branch TEXT NOT NULL,
    created           INTEGER NOT NULL,
    build_config      TEXT NOT NULL,
    production        TEXT NOT NULL,
    preview           TEXT NOT NULL,
    source            TEXT,
    -- The live production deployment, and the deploy that made it so.
    canonical         INTEGER REFERENCES deployment (seq),
    canonical_order   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX project_listing ON project (account_seq, seq DESC);
CREATE INDEX project_canonical ON project (canonical) WHERE canonical IS NOT NULL;

CREATE TABLE domain (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    project_seq INTEGER NOT NULL REFERENCES project (seq),
    name        TEXT NOT NULL,
    status      TEXT NOT NULL,
    error       TEXT,
    created     INTEGER NOT NULL,
    UNIQUE (project_seq, name)
) STRICT;
CREATE UNIQUE INDEX domain_active ON domain (name) WHERE status = 'active';

CREATE TABLE build (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    project_seq INTEGER NOT NULL REFERENCES project (seq),
    site_id     INTEGER REFERENCES site (id),
    created     INTEGER NOT NULL
) STRICT;
CREATE INDEX build_project ON build (project_seq, seq);
CREATE INDEX build_site ON build (site_id) WHERE site_id IS NOT NULL;

CREATE TABLE deployment (
    seq               INTEGER PRIMARY KEY AUTOINCREMENT,
    id                TEXT NOT NULL UNIQUE,
    -- The first eight hex digits of the id.
    short             INTEGER NOT NULL,
    project_seq       INTEGER NOT NULL REFERENCES project (seq),
    build_seq         INTEGER NOT NULL REFERENCES build (seq),
    -- The build's site; empty once deleted, so that the site may go.
    site_id           INTEGER REFERENCES site (id),
    environment       TEXT NOT NULL,
    branch            TEXT NOT NULL,
    label             TEXT NOT NULL,
    production_branch TEXT NOT NULL,
    commit_hash       TEXT NOT NULL,
    commit_message    TEXT NOT NULL,
    commit_dirty      INTEGER NOT NULL,
    cause             TEXT NOT NULL,
    created           INTEGER NOT NULL,
    modified          INTEGER NOT NULL,
    stages            TEXT NOT NULL,
    -- When it reached its end; empty while a job works on it.
    ended             INTEGER,
    -- When it was first served.
    activated         INTEGER,
    skipped           TEXT,
    build_config      TEXT NOT NULL,
    config            TEXT NOT NULL,
    source            TEXT,
    uses_functions    INTEGER NOT NULL,
    -- A deleted deployment keeps its row, so that its host answers "gone".
    deleted           INTEGER,
    UNIQUE (project_seq, short)
) STRICT;
CREATE INDEX deployment_listing ON deployment (project_seq, seq DESC) WHERE deleted IS NULL;
CREATE INDEX deployment_environment ON deployment (project_seq, environment, seq DESC) WHERE deleted IS NULL;
CREATE INDEX deployment_routes ON deployment (project_seq, short, site_id) WHERE activated IS NOT NULL;
CREATE INDEX deployment_site ON deployment (site_id) WHERE site_id IS NOT NULL;
CREATE INDEX deployment_build ON deployment (build_seq);

-- One row for each time somebody asked to publish a build. Its number is the order of wishes: an alias is
-- taken over only by a later one.
CREATE TABLE deploy (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    project_seq    INTEGER NOT NULL REFERENCES project (seq),
    deployment_seq INTEGER NOT NULL REFERENCES deployment (seq),
    cause          TEXT NOT NULL,
    created        INTEGER NOT NULL,
    completed      INTEGER
) STRICT;
CREATE INDEX deploy_project ON deploy (project_seq, seq DESC);
CREATE INDEX deploy_deployment ON deploy (deployment_seq);

CREATE TABLE branch_alias (
    project_seq    INTEGER NOT NULL REFERENCES project (seq),
    label          TEXT NOT NULL,
    deployment_seq INTEGER NOT NULL REFERENCES deployment (seq),
    deploy_order   INTEGER NOT NULL,
    PRIMARY KEY (project_seq, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX branch_alias_deployment ON branch_alias (deployment_seq);

-- `state` is ready, leased, done, or dropped (the deployment was deleted). `attempt` is the fencing number.
CREATE TABLE job (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_seq INTEGER NOT NULL UNIQUE REFERENCES deployment (seq),
    deploy_seq     INTEGER NOT NULL,
    state          TEXT NOT NULL,
    attempt        INTEGER NOT NULL DEFAULT 0,
    lease_until    INTEGER NOT NULL DEFAULT 0,
    worker         TEXT
) STRICT;
CREATE INDEX job_open ON job (seq) WHERE state IN ('ready', 'leased');

CREATE TABLE log (
    deployment_seq INTEGER NOT NULL REFERENCES deployment (seq),
    n              INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    text           TEXT NOT NULL,
    PRIMARY KEY (deployment_seq, n)
) STRICT, WITHOUT ROWID;

-- The last revision in which the routes of a project name changed. Names of deleted projects stay.
CREATE TABLE route_change (
    project_name TEXT PRIMARY KEY,
    revision     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX route_change_revision ON route_change (revision);

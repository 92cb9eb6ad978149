-- The Deploys API: a second view of what is here, and what only it has.
--
-- Ids that it shows are a prefix, an underscore, and 26 digits of base 32: a UUID of version 7, whose first ten digits
-- are the time in milliseconds. Rows from before get theirs here, with the time at which they were made.

ALTER TABLE account ADD COLUMN public_id TEXT;
UPDATE account SET public_id = 'wsp_' || (SELECT group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz',
        ((account.created / 1000) >> digit.value) % 32 + 1, 1), '') FROM json_each('[45,40,35,30,25,20,15,10,5,0]') digit)
    || 'e' || lower(substr(hex(randomblob(8)), 1, 2)) || '8' || lower(substr(hex(randomblob(8)), 1, 12));
CREATE UNIQUE INDEX account_public ON account (public_id);

ALTER TABLE token ADD COLUMN public_id TEXT;
UPDATE token SET public_id = 'key_' || (SELECT group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz',
        ((token.created / 1000) >> digit.value) % 32 + 1, 1), '') FROM json_each('[45,40,35,30,25,20,15,10,5,0]') digit)
    || 'e' || lower(substr(hex(randomblob(8)), 1, 2)) || '8' || lower(substr(hex(randomblob(8)), 1, 12));
CREATE UNIQUE INDEX token_public ON token (public_id);
CREATE INDEX token_newest ON token (account_seq, created, public_id);

-- Whether it is good for some apps only: for those, and for none when they are gone.
ALTER TABLE token ADD COLUMN limited INTEGER NOT NULL DEFAULT 0;
CREATE TABLE token_app (
    token_seq   INTEGER NOT NULL REFERENCES token (seq),
    project_seq INTEGER NOT NULL REFERENCES project (seq),
    PRIMARY KEY (token_seq, project_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX token_app_project ON token_app (project_seq);

-- An app. Its handle is the project's name.
ALTER TABLE project ADD COLUMN public_id TEXT;
UPDATE project SET public_id = 'app_' || (SELECT group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz',
        ((project.created / 1000) >> digit.value) % 32 + 1, 1), '') FROM json_each('[45,40,35,30,25,20,15,10,5,0]') digit)
    || 'e' || lower(substr(hex(randomblob(8)), 1, 2)) || '8' || lower(substr(hex(randomblob(8)), 1, 12));
CREATE UNIQUE INDEX project_public ON project (public_id);
-- Its name for people; empty: the project's name.
ALTER TABLE project ADD COLUMN title TEXT;
ALTER TABLE project ADD COLUMN description TEXT;
ALTER TABLE project ADD COLUMN default_version INTEGER REFERENCES app_version (seq);
ALTER TABLE project ADD COLUMN public_access INTEGER NOT NULL DEFAULT 1;
ALTER TABLE project ADD COLUMN retention TEXT;
-- Where its deploys go; empty: this server.
ALTER TABLE project ADD COLUMN target TEXT;
ALTER TABLE project ADD COLUMN created_by TEXT;
ALTER TABLE project ADD COLUMN modified INTEGER NOT NULL DEFAULT 0;
UPDATE project SET modified = created;
-- Deleted, and to be restored: nobody sees it but who asks for such.
ALTER TABLE project ADD COLUMN deleted INTEGER;
-- The last sequence numbers.
ALTER TABLE project ADD COLUMN builds_made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE project ADD COLUMN deploys_made INTEGER NOT NULL DEFAULT 0;
CREATE INDEX project_newest ON project (account_seq, created, public_id);

-- A snapshot of an app's files.
CREATE TABLE app_version (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    account_seq INTEGER NOT NULL REFERENCES account (seq),
    project_seq INTEGER NOT NULL REFERENCES project (seq),
    name        TEXT NOT NULL,
    parent_seq  INTEGER REFERENCES app_version (seq),
    status      TEXT NOT NULL,
    error       TEXT,
    created_by  TEXT,
    created     INTEGER NOT NULL,
    modified    INTEGER NOT NULL,
    deleted     INTEGER
) STRICT;
CREATE INDEX app_version_newest ON app_version (account_seq, created, id);
CREATE INDEX app_version_of_app ON app_version (account_seq, project_seq, created, id);
CREATE INDEX app_version_parent ON app_version (parent_seq) WHERE parent_seq IS NOT NULL;

-- A file of a version holds its blob, as a pin does.
CREATE TABLE version_file (
    version_seq INTEGER NOT NULL REFERENCES app_version (seq),
    path        TEXT NOT NULL,
    blob_id     INTEGER NOT NULL REFERENCES blob (id),
    key         TEXT NOT NULL,
    size        INTEGER NOT NULL,
    PRIMARY KEY (version_seq, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_file_blob ON version_file (blob_id);

-- Builds.
ALTER TABLE build ADD COLUMN account_seq INTEGER REFERENCES account (seq);
ALTER TABLE build ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE build ADD COLUMN status TEXT NOT NULL DEFAULT 'completed';
ALTER TABLE build ADD COLUMN prompt TEXT NOT NULL DEFAULT 'manual';
-- The version it is made from; such a build keeps its site, also when no deployment uses it.
ALTER TABLE build ADD COLUMN version_seq INTEGER REFERENCES app_version (seq);
ALTER TABLE build ADD COLUMN source_event TEXT;
ALTER TABLE build ADD COLUMN error TEXT;
-- JSON as it is shown.
ALTER TABLE build ADD COLUMN metadata TEXT;
ALTER TABLE build ADD COLUMN created_by TEXT;
ALTER TABLE build ADD COLUMN started INTEGER;
ALTER TABLE build ADD COLUMN completed INTEGER;
UPDATE build SET
    id = 'bld_' || (SELECT group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz',
            ((build.created / 1000) >> digit.value) % 32 + 1, 1), '')
            FROM json_each('[45,40,35,30,25,20,15,10,5,0]') digit)
        || 'e' || lower(substr(hex(randomblob(8)), 1, 2)) || '8' || lower(substr(hex(randomblob(8)), 1, 12)),
    account_seq = (SELECT p.account_seq FROM project p WHERE p.seq = build.project_seq),
    number = (SELECT o.n FROM (SELECT seq, row_number() OVER (PARTITION BY project_seq ORDER BY seq) AS n
        FROM build) o WHERE o.seq = build.seq),
    started = created, completed = created;
-- Those that a repository was built for have the outcome of their deployment; its last two stages are `build` and
-- `deploy`.
UPDATE build SET
    status = CASE WHEN build.site_id IS NOT NULL THEN 'completed' WHEN d.ended IS NULL AND d.stages ->> '$.stages[0].status' = 'active'
        THEN 'pending' WHEN d.ended IS NULL THEN 'running' WHEN d.skipped IS NOT NULL OR d.stages LIKE '%"canceled"%'
        THEN 'cancelled' ELSE 'failed' END,
    prompt = CASE WHEN d.cause = 'ad_hoc' THEN 'manual' ELSE 'auto' END,
    started = d.stages ->> '$.stages[1].started',
    completed = CASE WHEN build.site_id IS NOT NULL THEN coalesce(d.stages ->> '$.stages[3].ended', d.ended) ELSE d.ended END
    FROM deployment d WHERE d.build_seq = build.seq AND d.built = 1;
CREATE INDEX build_newest ON build (account_seq, created, id);
CREATE INDEX build_of_app ON build (account_seq, project_seq, created, id);
CREATE INDEX build_of_app_status ON build (account_seq, project_seq, status, created, id);
CREATE INDEX build_status ON build (account_seq, status, created, id);
CREATE INDEX build_prompt ON build (account_seq, prompt, created, id);
CREATE INDEX build_created_by ON build (account_seq, created_by, created, id);
CREATE INDEX build_version ON build (version_seq) WHERE version_seq IS NOT NULL;

CREATE TABLE build_step (
    build_seq INTEGER NOT NULL REFERENCES build (seq),
    position  INTEGER NOT NULL,
    id        TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL,
    status    TEXT NOT NULL,
    error     TEXT,
    log       TEXT,
    metadata  TEXT,
    started   INTEGER,
    completed INTEGER,
    created   INTEGER NOT NULL,
    PRIMARY KEY (build_seq, position)
) STRICT, WITHOUT ROWID;

-- Builds of versions wait here; those of repositories have a job with their deployment. `attempt` is the fencing number.
CREATE TABLE build_job (
    build_seq   INTEGER PRIMARY KEY REFERENCES build (seq),
    attempt     INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX build_job_next ON build_job (lease_until, build_seq);

-- Deploys.
ALTER TABLE deploy ADD COLUMN account_seq INTEGER REFERENCES account (seq);
ALTER TABLE deploy ADD COLUMN build_seq INTEGER REFERENCES build (seq);
ALTER TABLE deploy ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deploy ADD COLUMN status TEXT NOT NULL DEFAULT 'pending';
ALTER TABLE deploy ADD COLUMN prompt TEXT NOT NULL DEFAULT 'manual';
ALTER TABLE deploy ADD COLUMN source_event TEXT;
-- Where it answers at another server; empty for this one, which knows by itself.
ALTER TABLE deploy ADD COLUMN production_url TEXT;
ALTER TABLE deploy ADD COLUMN preview_url TEXT;
ALTER TABLE deploy ADD COLUMN error TEXT;
-- JSON as it is shown.
ALTER TABLE deploy ADD COLUMN metadata TEXT;
ALTER TABLE deploy ADD COLUMN created_by TEXT;
ALTER TABLE deploy ADD COLUMN started INTEGER;
UPDATE deploy SET
    id = 'dep_' || (SELECT group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz',
            ((deploy.created / 1000) >> digit.value) % 32 + 1, 1), '')
            FROM json_each('[45,40,35,30,25,20,15,10,5,0]') digit)
        || 'e' || lower(substr(hex(randomblob(8)), 1, 2)) || '8' || lower(substr(hex(randomblob(8)), 1, 12)),
    account_seq = (SELECT p.account_seq FROM project p WHERE p.seq = deploy.project_seq),
    build_seq = d.build_seq,
    number = (SELECT o.n FROM (SELECT seq, row_number() OVER (PARTITION BY project_seq ORDER BY seq) AS n
        FROM deploy) o WHERE o.seq = deploy.seq),
    status = CASE WHEN deploy.completed IS NULL AND d.stages ->> '$.stages[4].status' = 'idle' THEN 'pending'
        WHEN deploy.completed IS NULL THEN 'running'
        WHEN deploy.cause = 'rollback' OR d.activated IS NOT NULL THEN 'completed'
        WHEN d.skipped IS NOT NULL OR d.deleted IS NOT NULL OR d.stages LIKE '%"canceled"%' THEN 'cancelled' ELSE 'failed' END,
    prompt = CASE WHEN deploy.cause = 'rollback' THEN 'rollback' WHEN deploy.cause = 'retry' OR d.cause = 'ad_hoc' THEN 'manual'
        ELSE 'auto' END,
    metadata = json_object('environment', d.environment, 'branch', d.branch, 'deploymentId', d.id),
    started = CASE WHEN deploy.cause = 'rollback' THEN deploy.created ELSE d.stages ->> '$.stages[4].started' END
    FROM deployment d WHERE d.seq = deploy.deployment_seq;
UPDATE project SET
    builds_made = (SELECT count(*) FROM build b WHERE b.project_seq = project.seq),
    deploys_made = (SELECT count(*) FROM deploy y WHERE y.project_seq = project.seq);
CREATE INDEX deploy_newest ON deploy (account_seq, created, id);
CREATE INDEX deploy_of_app ON deploy (account_seq, project_seq, created, id);
CREATE INDEX deploy_of_app_status ON deploy (account_seq, project_seq, status, created, id);
CREATE INDEX deploy_of_build ON deploy (account_seq, build_seq, created, id);
CREATE INDEX deploy_status ON deploy (account_seq, status, created, id);
CREATE INDEX deploy_prompt ON deploy (account_seq, prompt, created, id);
CREATE INDEX deploy_created_by ON deploy (account_seq, created_by, created, id);
CREATE INDEX deploy_build ON deploy (build_seq);

CREATE TABLE deploy_step (
    deploy_seq INTEGER NOT NULL REFERENCES deploy (seq),
    position   INTEGER NOT NULL,
    id         TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    status     TEXT NOT NULL,
    error      TEXT,
    log        TEXT,
    metadata   TEXT,
    started    INTEGER,
    completed  INTEGER,
    created    INTEGER NOT NULL,
    PRIMARY KEY (deploy_seq, position)
) STRICT, WITHOUT ROWID;

-- What somebody did and what came to pass. Nothing is removed with what it tells of.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    account_seq INTEGER NOT NULL REFERENCES account (seq),
    -- The app's public id, for tokens that are good for some apps only.
    app         TEXT,
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    actor       TEXT,
    parent      TEXT,
    -- JSON as it is shown.
    data        TEXT,
    created     INTEGER NOT NULL,
    -- Whether webhooks are still to be called with it.
    undelivered INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX event_newest ON event (account_seq, created, id);
CREATE INDEX event_kind ON event (account_seq, kind, created, id);
CREATE INDEX event_subject ON event (account_seq, subject, created, id);
CREATE INDEX event_parent ON event (account_seq, parent, created, id);
CREATE INDEX event_actor ON event (account_seq, actor, created, id);
CREATE INDEX event_undelivered ON event (seq) WHERE undelivered = 1;

CREATE TABLE webhook (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    account_seq INTEGER NOT NULL REFERENCES account (seq),
    name        TEXT NOT NULL,
    url         TEXT NOT NULL,
    -- What signs its calls, encrypted.
    secret      TEXT,
    -- A JSON array of types of events, as it is shown; empty: all.
    filter      TEXT,
    enabled     INTEGER NOT NULL,
    created     INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_newest ON webhook (account_seq, created, id);

-- A call that is still to be made.
CREATE TABLE webhook_call (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_seq INTEGER NOT NULL REFERENCES webhook (seq),
    event_seq   INTEGER NOT NULL REFERENCES event (seq),
    due         INTEGER NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX webhook_call_due ON webhook_call (due, seq);
CREATE INDEX webhook_call_webhook ON webhook_call (webhook_seq);

-- Answers that are given again to the same call. `answer` is empty while the first one is under way.
CREATE TABLE idempotency (
    account_seq INTEGER NOT NULL REFERENCES account (seq),
    token       TEXT NOT NULL,
    key         TEXT NOT NULL,
    request     BLOB NOT NULL,
    status      INTEGER,
    -- Encrypted: it may show a secret once.
    answer      TEXT,
    created     INTEGER NOT NULL,
    PRIMARY KEY (account_seq, token, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created);

-- How many rows there are, so that nobody has to count: for each app, and under the project 0 for the whole account.
-- The database keeps them itself, so no writer can forget to.
CREATE TABLE tally (
    kind        TEXT NOT NULL,
    account_seq INTEGER NOT NULL,
    project_seq INTEGER NOT NULL,
    status      TEXT NOT NULL,
    prompt      TEXT NOT NULL,
    n           INTEGER NOT NULL,
    PRIMARY KEY (kind, account_seq, project_seq, status, prompt)
) STRICT, WITHOUT ROWID;
INSERT INTO tally SELECT 'deploy', account_seq, project_seq, status, prompt, count(*) FROM deploy GROUP BY 2, 3, 4, 5;
INSERT INTO tally SELECT 'deploy', account_seq, 0, status, prompt, count(*) FROM deploy GROUP BY 2, 4, 5;
INSERT INTO tally SELECT 'build', account_seq, project_seq, status, prompt, count(*) FROM build GROUP BY 2, 3, 4, 5;
INSERT INTO tally SELECT 'build', account_seq, 0, status, prompt, count(*) FROM build GROUP BY 2, 4, 5;

CREATE TRIGGER deploy_added AFTER INSERT ON deploy BEGIN
    INSERT INTO tally VALUES ('deploy', new.account_seq, new.project_seq, new.status, new.prompt, 1),
            ('deploy', new.account_seq, 0, new.status, new.prompt, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER deploy_changed AFTER UPDATE OF status ON deploy WHEN old.status <> new.status BEGIN
    UPDATE tally SET n = n - 1 WHERE kind = 'deploy' AND account_seq = old.account_seq
        AND project_seq IN (0, old.project_seq) AND status = old.status AND prompt = old.prompt;
    INSERT INTO tally VALUES ('deploy', new.account_seq, new.project_seq, new.status, new.prompt, 1),
            ('deploy', new.account_seq, 0, new.status, new.prompt, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER deploy_removed AFTER DELETE ON deploy BEGIN
    UPDATE tally SET n = n - 1 WHERE kind = 'deploy' AND account_seq = old.account_seq
        AND project_seq IN (0, old.project_seq) AND status = old.status AND prompt = old.prompt;
END;
CREATE TRIGGER build_added AFTER INSERT ON build BEGIN
    INSERT INTO tally VALUES ('build', new.account_seq, new.project_seq, new.status, new.prompt, 1),
            ('build', new.account_seq, 0, new.status, new.prompt, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER build_changed AFTER UPDATE OF status ON build WHEN old.status <> new.status BEGIN
    UPDATE tally SET n = n - 1 WHERE kind = 'build' AND account_seq = old.account_seq
        AND project_seq IN (0, old.project_seq) AND status = old.status AND prompt = old.prompt;
    INSERT INTO tally VALUES ('build', new.account_seq, new.project_seq, new.status, new.prompt, 1),
            ('build', new.account_seq, 0, new.status, new.prompt, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER build_removed AFTER DELETE ON build BEGIN
    UPDATE tally SET n = n - 1 WHERE kind = 'build' AND account_seq = old.account_seq
        AND project_seq IN (0, old.project_seq) AND status = old.status AND prompt = old.prompt;
END;
CREATE TRIGGER event_added AFTER INSERT ON event BEGIN
    INSERT INTO tally VALUES ('event', new.account_seq, 0, '', '', 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;

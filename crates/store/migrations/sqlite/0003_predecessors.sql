-- What an alias led to before: assets of it may still be asked for by pages that were loaded then.
CREATE TABLE predecessor (
    project_seq    INTEGER NOT NULL REFERENCES project (seq),
    -- The label of the branch; empty for production.
    label          TEXT NOT NULL,
    deployment_seq INTEGER NOT NULL REFERENCES deployment (seq),
    -- When the alias left it for the last time.
    retired        INTEGER NOT NULL,
    PRIMARY KEY (project_seq, label, deployment_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX predecessor_deployment ON predecessor (deployment_seq);

-- A version whose files are not its site yet waits for a builder. The attempt at which that was seen; empty while nobody has
-- looked.
ALTER TABLE build_job ADD COLUMN looked BIGINT;

-- What the steps of builds of versions say, line by line. Builds of repositories have the log of their deployment.
CREATE TABLE build_log (
    build_seq BIGINT NOT NULL REFERENCES build (seq),
    step      TEXT COLLATE "C" NOT NULL,
    n         BIGINT NOT NULL,
    text      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (build_seq, step, n)
);

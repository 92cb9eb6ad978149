-- Sites whose blobs are to be looked at for compressed variants. What is there already is seen in the blob
-- store, so a row too many costs a look.
CREATE TABLE variant_work (
    site_id  INTEGER PRIMARY KEY REFERENCES site (id),
    -- When to begin: the time it was noted, later after a failure.
    due      INTEGER NOT NULL,
    -- How often it has failed.
    failures INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX variant_work_due ON variant_work (due);

INSERT INTO variant_work (site_id, due)
    SELECT s.id, s.created FROM site s WHERE EXISTS
        (SELECT 1 FROM deployment d WHERE d.site_id = s.id AND d.activated IS NOT NULL);

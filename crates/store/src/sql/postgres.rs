//! The statements that PostgreSQL has in its own words. What each takes is said once, beside its sibling for SQLite.

/// That a column of texts is in the JSON array $1.
macro_rules! in_json {
    ($column:literal) => {
        concat!($column, " IN (SELECT jsonb_array_elements_text($1::text::jsonb))")
    };
}
pub(crate) use in_json;

/// The texts of the JSON array in a placeholder.
macro_rules! texts {
    ($placeholder:literal) => {
        concat!("(SELECT jsonb_array_elements_text(", $placeholder, "::text::jsonb))")
    };
}

/// The numbers of the JSON array in a placeholder.
macro_rules! numbers {
    ($placeholder:literal) => {
        concat!("(SELECT jsonb_array_elements_text(", $placeholder, "::text::jsonb)::bigint)")
    };
}

/// The rows `j` of the JSON array in a placeholder, with their numbers `n` from 1.
macro_rules! rows {
    ($placeholder:literal) => {
        concat!("jsonb_array_elements(", $placeholder, "::text::jsonb) WITH ORDINALITY AS j (value, n)")
    };
}

pub(super) const BYTEWISE: &str = r#" COLLATE "C""#;

pub(super) const LIKE: &str = " LIKE ";

/// A pattern of LIKE, where a backslash is never the last.
pub(super) fn like_pattern(text: &str) -> String {
    let mut like = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        like.push(character);
        if character == '\\' {
            like.push(characters.next().unwrap_or('\\'));
        }
    }
    like
}

pub(super) const KNOWN_BLOBS: &str = "SELECT hash FROM blob
    WHERE hash IN (SELECT decode(t.value, 'hex') FROM jsonb_array_elements_text($1::text::jsonb) t (value))";

/// A hash may be there twice.
pub(super) const ADD_BLOBS: &str = concat!(
    "INSERT INTO blob (hash, size, touched)
    SELECT DISTINCT decode(j.value->>0, 'hex'), (j.value->>1)::bigint, $2::bigint FROM ",
    rows!("$1"),
    " ON CONFLICT (hash) DO UPDATE SET touched = excluded.touched"
);

/// Of rows with the same key, the one counts that would be left when they were added one after the other.
pub(super) const ADD_KEYS: &str = concat!(
    "INSERT INTO asset_key (account_seq, key, blob_id, content_type, verified_extension, refreshed)
    SELECT DISTINCT ON (j.value->>0) $1::bigint, j.value->>0, b.id, j.value->>2, j.value->>3, $3::bigint FROM ",
    rows!("$2"),
    " LEFT JOIN blob b ON b.hash = decode(j.value->>1, 'hex')
    ORDER BY j.value->>0, (j.value->>3) IS NULL, j.n DESC
    ON CONFLICT (account_seq, key) DO UPDATE SET
        refreshed = excluded.refreshed,
        (blob_id, content_type, verified_extension) = (
            SELECT excluded.blob_id, excluded.content_type, excluded.verified_extension
            WHERE asset_key.verified_extension IS NULL OR excluded.verified_extension IS NOT NULL
            UNION ALL
            SELECT asset_key.blob_id, asset_key.content_type, asset_key.verified_extension
            WHERE asset_key.verified_extension IS NOT NULL AND excluded.verified_extension IS NULL)"
);

pub(super) const MISSING_KEYS: &str =
    "SELECT j.value AS key FROM jsonb_array_elements_text($2::text::jsonb) WITH ORDINALITY AS j (value, n)
    WHERE NOT EXISTS (SELECT 1 FROM asset_key k WHERE k.account_seq = $1 AND k.key = j.value)
    ORDER BY j.n";

pub(super) const ANY_STALE_KEY: &str = concat!(
    "SELECT 1 AS stale FROM asset_key WHERE account_seq = $1 AND key IN ",
    texts!("$2"),
    " AND refreshed < $3 LIMIT 1"
);

pub(super) const REFRESH_KEYS: &str = concat!(
    "UPDATE asset_key SET refreshed = $4 WHERE account_seq = $1 AND key IN ",
    texts!("$2"),
    " AND refreshed < $3"
);

pub(super) const KEY_ROWS: &str = concat!(
    "SELECT coalesce(json_agg(json_build_array(k.key, k.blob_id, encode(b.hash, 'hex'), b.size, k.content_type,
        k.verified_extension)), '[]')::text AS found
    FROM asset_key k JOIN blob b ON b.id = k.blob_id WHERE k.account_seq = $1 AND k.key IN ",
    texts!("$2")
);

pub(super) const VERIFY_KEYS: &str = concat!(
    "UPDATE asset_key SET verified_extension = j.value->>2 FROM ",
    rows!("$2"),
    " WHERE account_seq = $1 AND asset_key.key = j.value->>0 AND blob_id = (j.value->>1)::bigint"
);

pub(super) const FORGET_KEYS: &str = concat!(
    "DELETE FROM asset_key USING ",
    rows!("$2"),
    " WHERE account_seq = $1 AND asset_key.key = j.value->>0 AND blob_id = (j.value->>1)::bigint"
);

pub(super) const ADD_PINS: &str = concat!(
    "INSERT INTO pin (site_id, blob_id) SELECT $1::bigint, j.value::bigint FROM ",
    rows!("$2"),
    " ON CONFLICT DO NOTHING"
);

pub(super) const PINNED: &str =
    "SELECT coalesce(json_agg(json_build_array(encode(b.hash, 'hex'), b.size)), '[]')::text AS pinned
    FROM pin JOIN blob b ON b.id = pin.blob_id WHERE pin.site_id = $1";

pub(super) const APPEND_LOG: &str = concat!(
    "INSERT INTO log (deployment_seq, n, at, text)
    SELECT $1::bigint, (SELECT coalesce(max(n), 0) FROM log WHERE deployment_seq = $1) + j.n,
        (j.value->>0)::bigint, j.value->>1 FROM ",
    rows!("$2")
);

pub(super) const APPEND_BUILD_LOG: &str = "INSERT INTO build_log (build_seq, step, n, text)
    SELECT $1::bigint, $2::text, (SELECT coalesce(max(n), 0) FROM build_log WHERE build_seq = $1 AND step = $2) + j.n, j.value
    FROM jsonb_array_elements_text($3::text::jsonb) WITH ORDINALITY AS j (value, n)";

pub(super) const BUILD_STEPS: &str = "SELECT s.id, b.id AS whole, s.name, s.status, s.position, s.error,
        coalesce(s.log, (SELECT string_agg(l.text, chr(10) ORDER BY l.n) FROM build_log l
            WHERE l.build_seq = s.build_seq AND l.step = s.name),
            (SELECT string_agg(l.text, chr(10) ORDER BY l.n) FROM log l
            WHERE l.deployment_seq = (SELECT min(seq) FROM deployment WHERE build_seq = s.build_seq)
                AND l.at >= s.started AND (s.completed IS NULL OR l.at < s.completed))) AS log,
        s.metadata, s.started, s.completed, s.created
    FROM build_step s JOIN build b ON b.seq = s.build_seq WHERE b.id = $1 ORDER BY s.position";

/// Looks at the text as we write it: read as `jsonb`, one source with a zero byte in a name would fail the whole.
pub(super) const POLLED_PROJECTS: &str = r#"SELECT seq FROM project
    WHERE source IS NOT NULL AND strpos(source, '"poll":true') > 0 AND (polled IS NULL OR polled < $1)
    ORDER BY polled NULLS FIRST, seq"#;

pub(super) const ADD_HEADS: &str = concat!(
    "INSERT INTO source_head (project_seq, branch, commit_hash)
    SELECT $1::bigint, j.value->>0, j.value->>1 FROM ",
    rows!("$2")
);

pub(super) const DOMAINS_OF_PROJECTS: &str =
    concat!("SELECT project_seq, name FROM domain WHERE project_seq IN ", numbers!("$1"), " ORDER BY seq");

pub(super) const BRANCH_ALIASES_OF: &str = concat!(
    "SELECT deployment_seq, label FROM branch_alias WHERE deployment_seq IN ",
    numbers!("$1"),
    " ORDER BY deployment_seq, label"
);

pub(super) const PRODUCTION_ALIASES_OF: &str = concat!(
    "SELECT p.canonical, m.name
    FROM project p LEFT JOIN domain m ON m.project_seq = p.seq AND m.status = 'active' WHERE p.canonical IN ",
    numbers!("$1"),
    " ORDER BY p.canonical, m.seq"
);

pub(super) const UNHELD_BLOBS: &str = concat!(
    "SELECT b.id, b.hash, b.size FROM blob b WHERE b.id IN ",
    numbers!("$2"),
    " AND b.touched <= $1
    AND NOT EXISTS (SELECT 1 FROM pin WHERE pin.blob_id = b.id)
    AND NOT EXISTS (SELECT 1 FROM version_file f WHERE f.blob_id = b.id)
    AND NOT EXISTS (SELECT 1 FROM asset_key k WHERE k.blob_id = b.id AND k.refreshed > $1)"
);

pub(super) const FORGET_KEYS_OF_BLOBS: &str =
    concat!("DELETE FROM asset_key WHERE blob_id IN ", numbers!("$1"));

pub(super) const FORGET_BLOBS: &str = concat!("DELETE FROM blob WHERE id IN ", numbers!("$1"));

pub(super) const ROUTED_NAMES: &str = "SELECT string_agg(seq || ' ' || visible || ' ' || name, chr(10) ORDER BY seq) AS lines
    FROM (SELECT seq, name, CASE WHEN deleted IS NULL AND public_access = 1 THEN 1 ELSE 0 END AS visible FROM project
        WHERE seq > $1 ORDER BY seq LIMIT $2) p";

pub(super) const ROUTED_PRODUCTION: &str =
    "SELECT string_agg(p.seq || ' ' || d.short || ' ' || encode(s.hash, 'hex'), chr(10) ORDER BY p.seq) AS lines
    FROM project p JOIN deployment d ON d.seq = p.canonical JOIN site s ON s.id = d.site_id
    WHERE p.seq BETWEEN $1 AND $2";

pub(super) const ROUTED_BRANCHES: &str =
    "SELECT string_agg(a.project_seq || ' ' || d.short || ' ' || encode(s.hash, 'hex') || ' ' || a.label, chr(10)
        ORDER BY a.project_seq, a.label) AS lines
    FROM branch_alias a JOIN deployment d ON d.seq = a.deployment_seq JOIN site s ON s.id = d.site_id
    WHERE a.project_seq BETWEEN $1 AND $2";

pub(super) const ROUTED_PREDECESSORS: &str =
    "SELECT string_agg(project_seq || ' ' || deployment_seq || ' .' || label || ' ' || short || ' ' || site || ' ' || retired,
        chr(10) ORDER BY project_seq, label, deployment_seq) AS lines
    FROM (SELECT q.project_seq, q.deployment_seq, q.label, d.short, encode(s.hash, 'hex') AS site, q.retired
        FROM predecessor q JOIN deployment d ON d.seq = q.deployment_seq JOIN site s ON s.id = d.site_id
        WHERE q.project_seq BETWEEN greatest($1, $3) AND $2 AND (q.project_seq, q.label, q.deployment_seq) > ($3, $5, $4)
        ORDER BY q.project_seq, q.label, q.deployment_seq LIMIT $6) q";

pub(super) const ROUTED_DEPLOYMENTS: &str =
    "SELECT string_agg(project_seq || ' ' || short || ' ' || site, chr(10) ORDER BY project_seq, short) AS lines
    FROM (SELECT d.project_seq, d.short, CASE WHEN s.id IS NULL THEN '-' ELSE encode(s.hash, 'hex') END AS site
        FROM deployment d LEFT JOIN site s ON s.id = d.site_id
        WHERE d.activated IS NOT NULL AND d.project_seq BETWEEN greatest($1, $3) AND $2
            AND (d.project_seq, d.short) > ($3, $4)
        ORDER BY d.project_seq, d.short LIMIT $5) d";

pub(super) const ROUTED_DOMAINS: &str =
    "SELECT string_agg(project_seq || ' ' || name, chr(10) ORDER BY project_seq, seq) AS lines
    FROM domain WHERE status = 'active' AND project_seq BETWEEN $1 AND $2";

/// The server never lets it come to this.
pub(super) const DANGLING: &str = "SELECT '' AS broken WHERE false";

/// The server looks after its files itself; `pg_amcheck` is the program that looks closer.
pub(super) const DAMAGE: &str = "SELECT '' AS broken WHERE false";

pub(super) const HAS_MIGRATIONS: &str = "SELECT 1 AS found WHERE to_regclass('schema_migration') IS NOT NULL";

pub(super) const CREATE_MIGRATIONS: &str = "CREATE TABLE schema_migration (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied BIGINT NOT NULL
)";

pub(super) const EXPLAIN: &str = "EXPLAIN SELECT ";

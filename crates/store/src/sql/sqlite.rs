//! The statements that SQLite has in its own words.

/// That a column is in the JSON array $1.
macro_rules! in_json {
    ($column:literal) => {
        concat!($column, " IN (SELECT value FROM json_each($1))")
    };
}
pub(crate) use in_json;

/// What follows a text to have it compared byte by byte.
pub(super) const BYTEWISE: &str = " COLLATE BINARY";

/// What follows a column that is compared with a pattern. SQLite's LIKE ignores the case of letters; GLOB does not.
pub(super) const LIKE: &str = " GLOB ";

/// A pattern of GLOB.
pub(super) fn like_pattern(text: &str) -> String {
    let mut glob = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '\\' => literal(&mut glob, characters.next().unwrap_or('\\')),
            other => literal(&mut glob, other),
        }
    }
    glob
}

fn literal(glob: &mut String, character: char) {
    match character {
        '*' | '?' | '[' => glob.extend(['[', character, ']']),
        other => glob.push(other),
    }
}

/// $1 JSON array of hashes in hex: those that have a row.
pub(super) const KNOWN_BLOBS: &str = "SELECT hash FROM blob
    WHERE hash IN (SELECT unhex(value) FROM json_each($1))";

/// $1 JSON array of [hash in hex, size], $2 now.
pub(super) const ADD_BLOBS: &str = "INSERT INTO blob (hash, size, touched)
    SELECT unhex(value->>0), value->>1, $2 FROM json_each($1) WHERE true
    ON CONFLICT (hash) DO UPDATE SET touched = excluded.touched";

/// $1 account, $2 JSON array of [key, hash in hex, content type, verified extension or null], $3 now.
///
/// A key that is known to belong to its bytes is not turned to other bytes by one that is not.
pub(super) const ADD_KEYS: &str = "INSERT INTO asset_key
        (account_seq, key, blob_id, content_type, verified_extension, refreshed)
    SELECT $1, value->>0, (SELECT id FROM blob WHERE hash = unhex(value->>1)), value->>2, value->>3, $3
        FROM json_each($2) WHERE true
    ON CONFLICT (account_seq, key) DO UPDATE SET
        refreshed = excluded.refreshed,
        (blob_id, content_type, verified_extension) = (
            SELECT excluded.blob_id, excluded.content_type, excluded.verified_extension
            WHERE asset_key.verified_extension IS NULL OR excluded.verified_extension IS NOT NULL
            UNION ALL
            SELECT asset_key.blob_id, asset_key.content_type, asset_key.verified_extension
            WHERE asset_key.verified_extension IS NOT NULL AND excluded.verified_extension IS NULL)";

/// $1 account, $2 JSON array of keys: those without a row, in the order given.
pub(super) const MISSING_KEYS: &str = "SELECT j.value AS key FROM json_each($2) j
    WHERE NOT EXISTS (SELECT 1 FROM asset_key k WHERE k.account_seq = $1 AND k.key = j.value)
    ORDER BY j.key";

/// $1 account, $2 JSON array of keys, $3 time: whether any of them was last refreshed before the time.
pub(super) const ANY_STALE_KEY: &str = "SELECT 1 AS stale FROM asset_key
    WHERE account_seq = $1 AND key IN (SELECT value FROM json_each($2)) AND refreshed < $3 LIMIT 1";

/// $1 account, $2 JSON array of keys, $3 time before which a key is stale, $4 now.
pub(super) const REFRESH_KEYS: &str = "UPDATE asset_key SET refreshed = $4
    WHERE account_seq = $1 AND key IN (SELECT value FROM json_each($2)) AND refreshed < $3";

/// $1 account, $2 JSON array of keys: one JSON array of [key, blob id, hash in hex, size, content type,
/// verified extension or null]. Twenty thousand rows would take ten times as long to hand over.
pub(super) const KEY_ROWS: &str = "SELECT json_group_array(json_array(
        k.key, k.blob_id, hex(b.hash), b.size, k.content_type, k.verified_extension)) AS found
    FROM asset_key k JOIN blob b ON b.id = k.blob_id
    WHERE k.account_seq = $1 AND k.key IN (SELECT value FROM json_each($2))";

/// $1 account, $2 JSON array of [key, blob id, extension].
pub(super) const VERIFY_KEYS: &str = "UPDATE asset_key SET verified_extension = j.value->>2
    FROM json_each($2) j
    WHERE account_seq = $1 AND asset_key.key = j.value->>0 AND blob_id = j.value->>1";

/// $1 account, $2 JSON array of [key, blob id].
pub(super) const FORGET_KEYS: &str = "DELETE FROM asset_key WHERE account_seq = $1
    AND (key, blob_id) IN (SELECT value->>0, value->>1 FROM json_each($2))";

/// $1 site, $2 JSON array of blob ids, each once.
pub(super) const ADD_PINS: &str = "INSERT INTO pin (site_id, blob_id)
    SELECT $1, value FROM json_each($2) WHERE true ON CONFLICT DO NOTHING";

/// $1 site: one JSON array of [hash in hex, size] of all its pins.
pub(super) const PINNED: &str = "SELECT json_group_array(json_array(hex(b.hash), b.size)) AS pinned
    FROM pin JOIN blob b ON b.id = pin.blob_id WHERE pin.site_id = $1";

/// $1 deployment, $2 JSON array of [time, text].
pub(super) const APPEND_LOG: &str = "INSERT INTO log (deployment_seq, n, at, text)
    SELECT $1, (SELECT coalesce(max(n), 0) FROM log WHERE deployment_seq = $1) + 1 + j.key,
        j.value->>0, j.value->>1
    FROM json_each($2) j";

/// $1 build, $2 step, $3 JSON array of texts.
pub(super) const APPEND_BUILD_LOG: &str = "INSERT INTO build_log (build_seq, step, n, text)
    SELECT $1, $2, (SELECT coalesce(max(n), 0) FROM build_log WHERE build_seq = $1 AND step = $2) + 1 + j.key, j.value
    FROM json_each($3) j";

/// $1 the id of a build: its steps in order, in the order of their fields. Of a commit, they have said what the first
/// deployment's log says of their time.
pub(super) const BUILD_STEPS: &str = "SELECT s.id, b.id AS whole, s.name, s.status, s.position, s.error,
        coalesce(s.log, (SELECT group_concat(l.text, char(10)) FROM (SELECT text FROM build_log
            WHERE build_seq = s.build_seq AND step = s.name ORDER BY n) l),
            (SELECT group_concat(l.text, char(10)) FROM (SELECT text FROM log
            WHERE deployment_seq = (SELECT min(seq) FROM deployment WHERE build_seq = s.build_seq)
                AND at >= s.started AND (s.completed IS NULL OR at < s.completed) ORDER BY n) l)) AS log,
        s.metadata, s.started, s.completed, s.created
    FROM build_step s JOIN build b ON b.seq = s.build_seq WHERE b.id = $1 ORDER BY s.position";

/// $1 time: projects with a source that is to be polled and was not since.
pub(super) const POLLED_PROJECTS: &str = "SELECT seq FROM project
    WHERE source IS NOT NULL AND source->>'poll' = 1 AND (polled IS NULL OR polled < $1)
    ORDER BY polled, seq";

/// $1 project, $2 JSON array of [branch, commit].
pub(super) const ADD_HEADS: &str = "INSERT INTO source_head (project_seq, branch, commit_hash)
    SELECT $1, value->>0, value->>1 FROM json_each($2)";

/// $1 JSON array of project numbers.
pub(super) const DOMAINS_OF_PROJECTS: &str = "SELECT project_seq, name FROM domain
    WHERE project_seq IN (SELECT value FROM json_each($1)) ORDER BY seq";

/// $1 JSON array of deployment numbers.
pub(super) const BRANCH_ALIASES_OF: &str = "SELECT deployment_seq, label FROM branch_alias
    WHERE deployment_seq IN (SELECT value FROM json_each($1)) ORDER BY deployment_seq, label";

/// $1 JSON array of deployment numbers: the live ones with the active domains of their projects.
pub(super) const PRODUCTION_ALIASES_OF: &str = "SELECT p.canonical, m.name
    FROM project p LEFT JOIN domain m ON m.project_seq = p.seq AND m.status = 'active'
    WHERE p.canonical IN (SELECT value FROM json_each($1)) ORDER BY p.canonical, m.seq";

/// $1 time up to which a blob is old, $2 JSON array of blob ids: those that nothing holds.
pub(super) const UNHELD_BLOBS: &str = "SELECT b.id, b.hash, b.size FROM blob b
    WHERE b.id IN (SELECT value FROM json_each($2)) AND b.touched <= $1
    AND NOT EXISTS (SELECT 1 FROM pin WHERE pin.blob_id = b.id)
    AND NOT EXISTS (SELECT 1 FROM version_file f WHERE f.blob_id = b.id)
    AND NOT EXISTS (SELECT 1 FROM asset_key k WHERE k.blob_id = b.id AND k.refreshed > $1)";

/// $1 JSON array of blob ids.
pub(super) const FORGET_KEYS_OF_BLOBS: &str =
    "DELETE FROM asset_key WHERE blob_id IN (SELECT value FROM json_each($1))";

/// $1 JSON array of blob ids.
pub(super) const FORGET_BLOBS: &str = "DELETE FROM blob WHERE id IN (SELECT value FROM json_each($1))";

// The routing table as lines of text: one row with thousands of lines is read many times faster than
// thousands of rows. Each takes projects from $1 up to $2.

/// $1 project to begin after, $2 how many: lines "project visible name"; visible is 1, or 0 for one that nobody may see.
pub(super) const ROUTED_NAMES: &str =
    "SELECT group_concat(seq || ' ' || visible || ' ' || name, char(10)) AS lines
    FROM (SELECT seq, name, deleted IS NULL AND public_access = 1 AS visible FROM project
        WHERE seq > $1 ORDER BY seq LIMIT $2)";

/// Lines "project short-id site".
pub(super) const ROUTED_PRODUCTION: &str =
    "SELECT group_concat(p.seq || ' ' || d.short || ' ' || lower(hex(s.hash)), char(10)) AS lines
    FROM project p JOIN deployment d ON d.seq = p.canonical JOIN site s ON s.id = d.site_id
    WHERE p.seq BETWEEN $1 AND $2";

/// Lines "project short-id site label".
pub(super) const ROUTED_BRANCHES: &str = "SELECT group_concat(a.project_seq || ' ' || d.short || ' '
        || lower(hex(s.hash)) || ' ' || a.label, char(10)) AS lines
    FROM branch_alias a JOIN deployment d ON d.seq = a.deployment_seq JOIN site s ON s.id = d.site_id
    WHERE a.project_seq BETWEEN $1 AND $2";

/// $3, $4, $5 project, deployment and label of the last line before; $6 how many: lines "project deployment
/// label short-id site retired", the label after a dot, so that production has a word there as well.
pub(super) const ROUTED_PREDECESSORS: &str = "SELECT group_concat(project_seq || ' ' || deployment_seq
        || ' .' || label || ' ' || short || ' ' || site || ' ' || retired, char(10)) AS lines
    FROM (SELECT q.project_seq, q.deployment_seq, q.label, d.short, lower(hex(s.hash)) AS site, q.retired
        FROM predecessor q JOIN deployment d ON d.seq = q.deployment_seq JOIN site s ON s.id = d.site_id
        WHERE q.project_seq BETWEEN max($1, $3) AND $2 AND (q.project_seq, q.label, q.deployment_seq) > ($3, $5, $4)
        ORDER BY q.project_seq, q.label, q.deployment_seq LIMIT $6)";

/// $3, $4 the last line before; $5 how many: lines "project short-id site", the site "-" when deleted.
pub(super) const ROUTED_DEPLOYMENTS: &str =
    "SELECT group_concat(project_seq || ' ' || short || ' ' || site, char(10)) AS lines
    FROM (SELECT d.project_seq, d.short, CASE WHEN s.id IS NULL THEN '-' ELSE lower(hex(s.hash)) END AS site
        FROM deployment d LEFT JOIN site s ON s.id = d.site_id
        WHERE d.activated IS NOT NULL AND d.project_seq BETWEEN max($1, $3) AND $2
            AND (d.project_seq, d.short) > ($3, $4)
        ORDER BY d.project_seq, d.short LIMIT $5)";

/// Lines "project domain".
pub(super) const ROUTED_DOMAINS: &str = "SELECT group_concat(project_seq || ' ' || name, char(10)) AS lines
    FROM (SELECT project_seq, name FROM domain
        WHERE status = 'active' AND project_seq BETWEEN $1 AND $2 ORDER BY project_seq, seq)";

/// Rows that refer to nothing.
pub(super) const DANGLING: &str =
    "SELECT 'a row of ' || \"table\" || ' refers to nothing' AS broken FROM pragma_foreign_key_check";

/// Damage of the file.
pub(super) const DAMAGE: &str =
    "SELECT 'the database is damaged: ' || quick_check AS broken FROM pragma_quick_check
    WHERE quick_check <> 'ok'";

/// The table of migrations.
pub(super) const CREATE_MIGRATIONS: &str = "CREATE TABLE schema_migration (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied INTEGER NOT NULL
) STRICT";

/// A row if there is such a table.
pub(super) const HAS_MIGRATIONS: &str =
    "SELECT 1 AS found FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration'";

/// Before the rest of a query: how it would be gone about.
pub(super) const EXPLAIN: &str = "EXPLAIN QUERY PLAN SELECT ";

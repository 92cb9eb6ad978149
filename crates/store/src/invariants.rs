//! The promises of the store as a program: for tests after every crash, and for an operator's peace of mind.

use std::collections::{HashMap, HashSet};

use offprint_model::asset::BlobHash;
use offprint_model::encoding::Encoding;
use offprint_model::stages::StageStatus;

use crate::assets::hash_of;
use crate::compress::decompress;
use crate::db::{Row, Rows, Tx, values};
use crate::error::Result;
use crate::open::Store;
use crate::routing::ProjectRoutes;
use crate::site::SiteHash;
use crate::sql;
use crate::stored::stages_from_json;

const ALIASES: &str = "SELECT 'production of ' || p.name AS alias, d.seq, d.deleted, d.activated, s.sealed
        FROM project p LEFT JOIN deployment d ON d.seq = p.canonical LEFT JOIN site s ON s.id = d.site_id
        WHERE p.canonical IS NOT NULL
    UNION ALL SELECT 'branch ' || a.label, d.seq, d.deleted, d.activated, s.sealed
        FROM branch_alias a LEFT JOIN deployment d ON d.seq = a.deployment_seq
        LEFT JOIN site s ON s.id = d.site_id
    UNION ALL SELECT 'predecessor of ' || q.label || '.' || p.name, d.seq, d.deleted, d.activated, s.sealed
        FROM predecessor q JOIN project p ON p.seq = q.project_seq
        LEFT JOIN deployment d ON d.seq = q.deployment_seq LEFT JOIN site s ON s.id = d.site_id";
const SITES: &str = "SELECT s.id, s.hash, s.pins, s.released,
        (SELECT count(*) FROM pin WHERE pin.site_id = s.id) AS pinned,
        (SELECT count(*) FROM deployment d WHERE d.site_id = s.id) + (SELECT count(*) FROM build b
            WHERE b.site_id = s.id AND b.version_seq IS NOT NULL) AS holders FROM site s";
const PINNED: &str =
    "SELECT b.hash, b.size FROM pin JOIN blob b ON b.id = pin.blob_id WHERE pin.site_id = $1";
const KEYED: &str = "SELECT DISTINCT b.hash, b.size FROM asset_key k JOIN blob b ON b.id = k.blob_id";
const DEPLOYMENTS: &str = "SELECT d.id, d.stages, d.ended, d.activated, d.skipped, d.built, d.site_id,
        d.untrusted = 1 AND d.environment = 'production' AS strange_production, j.state, j.kind, j.attempt, j.worker,
        (SELECT count(*) FROM job WHERE job.deployment_seq = d.seq) AS jobs,
        (SELECT count(*) FROM deploy y WHERE y.deployment_seq = d.seq AND y.completed IS NULL) AS open_deploys
    FROM deployment d LEFT JOIN job j ON j.deployment_seq = d.seq WHERE d.deleted IS NULL";

const SOURCELESS: &str = "SELECT p.name, 'credentials' AS what FROM project p
        JOIN source_credential c ON c.project_seq = p.seq WHERE p.source IS NULL
    UNION SELECT p.name, 'deploy hooks' FROM project p
        JOIN deploy_hook h ON h.project_seq = p.seq WHERE p.source IS NULL";

/// Builds of versions that wait for nobody, or that somebody might take although they have ended.
const JOBLESS: &str = "SELECT b.id FROM build b WHERE b.version_seq IS NOT NULL
    AND (b.completed IS NULL) <> EXISTS (SELECT 1 FROM build_job v WHERE v.build_seq = b.seq)";

/// Checks the promises and returns the broken ones, in words. Reads every pinned blob: slow for large stores.
/// Right while the store is in use as well, except that what was deleted meanwhile may be reported.
///
/// # Errors
/// The store cannot be read.
pub async fn check_invariants(store: &Store) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    let tx = store.db().read().await?;
    check_database(&tx, &mut broken).await?;
    check_aliases(&tx, &mut broken).await?;
    check_deployments(&tx, &mut broken).await?;
    check_sources(&tx, &mut broken).await?;
    for row in tx.all(JOBLESS, values![]).await? {
        broken.push(format!("build {}: it has a job until it has ended", row.get::<String>("id")?));
    }
    let sites = tx.all(SITES, values![]).await?;
    let mut seen = HashSet::new();
    for site in &sites {
        check_site(store, &tx, site, &mut seen, &mut broken).await?;
    }
    for row in tx.all(KEYED, values![]).await? {
        check_blob(store, &row, &mut seen, &mut broken).await?;
    }
    for row in store.all_held_by_objects().await? {
        check_blob(store, &row, &mut seen, &mut broken).await?;
    }
    drop(tx);
    check_routes(store, &mut broken).await?;
    Ok(broken)
}

async fn check_database(tx: &Tx, broken: &mut Vec<String>) -> Result<()> {
    for question in [sql::DANGLING, sql::DAMAGE] {
        for row in tx.all(question.of(tx.engine()), values![]).await? {
            broken.push(row.get("broken")?);
        }
    }
    Ok(())
}

/// An alias points at a sealed deployment, and did so before.
async fn check_aliases(tx: &Tx, broken: &mut Vec<String>) -> Result<()> {
    for row in tx.all(ALIASES, values![]).await? {
        let alias: String = row.get("alias")?;
        if row.get::<Option<i64>>("seq")?.is_none() || row.time_opt("deleted")?.is_some() {
            broken.push(format!("{alias} leads to no deployment"));
        } else if row.time_opt("activated")?.is_none() || row.time_opt("sealed")?.is_none() {
            broken.push(format!("{alias} leads to a deployment that is not sealed and activated"));
        }
    }
    Ok(())
}

/// A job for each deployment that was not skipped at once, and one lease at the most; stages are legal and say what
/// the rest says.
async fn check_deployments(tx: &Tx, broken: &mut Vec<String>) -> Result<()> {
    for row in tx.all(DEPLOYMENTS, values![]).await? {
        let id: String = row.get("id")?;
        let mut check = |holds: bool, promise: &str| {
            if !holds {
                broken.push(format!("deployment {id}: {promise}"));
            }
        };
        let stages = stages_from_json(&row.get::<String>("stages")?)?;
        let state = row.get::<Option<String>>("state")?.unwrap_or_default();
        let ended = row.time_opt("ended")?.is_some();
        let active = stages.iter().filter(|(_, stage)| stage.status == StageStatus::Active).count();
        check(active <= 1, "one stage is active at the most");
        check(stages.is_terminal() == ended, "it has ended when its stages have");
        check(stages.is_success() == row.time_opt("activated")?.is_some(), "a success is activated");
        let skipped = row.get::<Option<String>>("skipped")?.is_some();
        let jobless = skipped && row.get::<i64>("jobs")? == 0;
        check(jobless || row.get::<i64>("jobs")? == 1, "it has one job, or was skipped at once");
        check(!skipped || ended, "it has ended when it was skipped");
        check(!skipped || !stages.is_success(), "what was skipped is not live");
        let open = matches!(state.as_str(), "ready" | "leased");
        check(open || ended, "its job is open until it has ended");
        let looked_at = open && ended && stages.is_success();
        check(!open || !ended || looked_at, "the job of what has ended is only to look at what is live");
        check(state != "leased" || row.get::<Option<String>>("worker")?.is_some(), "a lease has a worker");
        check(
            state != "leased" && state != "done" || row.get::<i64>("attempt")? > 0,
            "a claimed job has an attempt",
        );
        check(
            (row.get::<i64>("open_deploys")? == 0) == (ended && !open),
            "its deploys are complete when it and its job have ended",
        );
        let built: bool = row.get("built")?;
        let kind = if built { "build" } else { "upload" };
        check(jobless || row.get::<String>("kind")? == kind, "its job is for the right workers");
        let content = row.get::<Option<i64>>("site_id")?.is_some();
        check(content || built && !stages.is_success(), "it has content, or is built and not live");
        check(!row.get::<bool>("strange_production")?, "what comes from a stranger is a preview");
    }
    Ok(())
}

/// What belongs to a repository belongs to a project that has one.
async fn check_sources(tx: &Tx, broken: &mut Vec<String>) -> Result<()> {
    for row in tx.all(SOURCELESS, values![]).await? {
        let (name, what): (String, String) = (row.get("name")?, row.get("what")?);
        broken.push(format!("project {name} has no repository, and {what}"));
    }
    Ok(())
}

/// A site has all its pins, its document lies within them, and every pinned blob hashes to its name.
async fn check_site(
    store: &Store,
    tx: &Tx,
    row: &Row,
    seen: &mut HashSet<BlobHash>,
    broken: &mut Vec<String>,
) -> Result<()> {
    let hash = hash_of(row.get("hash")?)?;
    if row.get::<i64>("pins")? != row.get::<i64>("pinned")? {
        broken.push(format!("site {hash:?} has lost pins"));
    }
    if (row.get::<i64>("holders")? == 0) != row.time_opt("released")?.is_some() {
        broken.push(format!("site {hash:?} is not let go of when it should be"));
    }
    let mut pinned = HashSet::new();
    for row in tx.all(PINNED, values![row.get::<i64>("id")?]).await? {
        pinned.insert(hash_of(row.get("hash")?)?);
        check_blob(store, &row, seen, broken).await?;
    }
    match store.load_site(&SiteHash::of_document(hash)).await {
        Err(error) => broken.push(format!("site {hash:?} cannot be read: {error}")),
        Ok(document) => {
            let assets = document.manifest.iter().map(|(_, asset)| asset.blob);
            let worker = document.worker.map(|worker| worker.blob);
            let mut all = assets.chain(worker).chain(document.functions_routing).chain([hash]);
            if all.any(|blob| !pinned.contains(&blob)) {
                broken.push(format!("site {hash:?} does not pin all its blobs"));
            }
        }
    }
    Ok(())
}

/// A blob with a row exists and hashes to its name.
async fn check_blob(
    store: &Store,
    row: &Row,
    seen: &mut HashSet<BlobHash>,
    broken: &mut Vec<String>,
) -> Result<()> {
    let hash = hash_of(row.get("hash")?)?;
    if !seen.insert(hash) {
        return Ok(());
    }
    match store.blobs().read(&hash).await {
        Err(error) => broken.push(format!("blob {hash:?} cannot be read: {error}")),
        Ok(bytes) if BlobHash::of(&bytes) != hash => broken.push(format!("blob {hash:?} has other bytes")),
        Ok(bytes) if i64::try_from(bytes.len()).ok() != Some(row.get("size")?) => {
            broken.push(format!("blob {hash:?} has another length than its row says"));
        }
        Ok(bytes) => check_variants(store, &hash, &bytes, broken).await,
    }
    Ok(())
}

/// A variant gives the bytes of its blob.
async fn check_variants(store: &Store, hash: &BlobHash, bytes: &[u8], broken: &mut Vec<String>) {
    for encoding in Encoding::ALL {
        let whole = match store.blobs().variants(hash).await {
            Ok(Some(variants)) if variants.length(encoding) > 0 => {
                let variant = store.blobs().read_variant(hash, encoding).await;
                let plain = variant.map(|variant| decompress(&variant, encoding, bytes.len()));
                matches!(plain, Ok(Ok(plain)) if plain == bytes)
            }
            found => found.is_ok(),
        };
        if !whole {
            let token = encoding.token();
            broken.push(format!(
                "blob {hash:?} has a damaged {token} variant; remove the file of its variants beside it, and \
                 the next deployment that has the blob makes them again"
            ));
        }
    }
}

/// Reading the routes from a revision on gives what reading all of them gives.
async fn check_routes(store: &Store, broken: &mut Vec<String>) -> Result<()> {
    let all = store.routing_since(0).await?;
    let now: HashMap<_, _> = all.projects.iter().cloned().collect();
    for (project, routes) in &all.projects {
        if routes.as_ref().is_some_and(lists_what_is_served) {
            broken.push(format!("a predecessor in {project} is what is served"));
        }
    }
    let since = store.routing_since(1.min(all.revision)).await?;
    if since.revision == all.revision && !since.full {
        for (project, routes) in since.projects {
            if now.get(&project).cloned().flatten() != routes {
                broken.push(format!("the routes of {project} differ between two ways of reading them"));
            }
        }
    }
    Ok(())
}

/// Whether an alias has its own content as a predecessor.
fn lists_what_is_served(routes: &ProjectRoutes) -> bool {
    routes.predecessors.iter().any(|old| match &old.label {
        None => routes.production.is_some_and(|live| live.site == old.site),
        Some(label) => routes.branches.iter().any(|(of, live)| of == label && live.site == old.site),
    })
}

//! `offprint deploy`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{bail, ensure};
use offprint_client::deploy::{CommitInfo, DeployOptions, Deployed, deploy};
use offprint_client::error::ErrorCode;
use offprint_client::{PagesClient, UploadSession};
use serde_json::json;

use super::args::ApiArgs;
use super::git::{self, WorkTree};
use super::{output, progress, project, prompt};

/// What to deploy where.
#[derive(clap::Args)]
pub(crate) struct DeployArgs {
    /// The folder that holds the built site
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// The project; not needed where there is only one, or wrangler.toml names it
    #[arg(long, short, visible_alias = "project-name", value_name = "NAME")]
    project: Option<String>,

    /// Create the project if it does not exist
    #[arg(long)]
    create: bool,

    /// For a project that is created: the branch that goes live [default: the branch of this deployment, or main]
    #[arg(long, value_name = "BRANCH")]
    production_branch: Option<String>,

    /// Print what was done as JSON
    #[arg(long)]
    json: bool,

    /// Read every file, instead of remembering the keys of those that did not change
    #[arg(long)]
    no_cache: bool,

    /// Deploy the static files alone although there are Functions
    #[arg(long)]
    skip_functions: bool,

    /// Where keys are remembered
    #[arg(long, env = "XDG_CACHE_HOME", hide = true, hide_env = true, value_name = "DIR")]
    cache_home: Option<PathBuf>,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    api: ApiArgs,
}

/// Where the site comes from. What is left out is asked of git.
#[derive(clap::Args)]
#[command(next_help_heading = "Source")]
struct SourceArgs {
    /// The branch; other branches than the production branch make previews [default: git's]
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// The commit [default: git's]
    #[arg(long, value_name = "HASH")]
    commit_hash: Option<String>,
    /// Its message [default: git's]
    #[arg(long, value_name = "TEXT")]
    commit_message: Option<String>,
    /// Whether the work tree differs from the commit [default: git's]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    commit_dirty: Option<bool>,
}

/// Runs the command.
///
/// # Errors
/// The folder did not go live.
pub(crate) async fn run(args: DeployArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    // Looked at before anything is made on the server.
    ensure!(
        args.directory.is_dir(),
        "{} is not a directory; name the one that holds the built site",
        args.directory.display()
    );
    if !args.skip_functions {
        refuse_functions(Path::new("functions"), &args.directory)?;
    }
    let given = WorkTree {
        branch: args.source.branch.clone(),
        commit: CommitInfo {
            hash: args.source.commit_hash.clone(),
            message: args.source.commit_message.clone(),
            dirty: args.source.commit_dirty,
        },
    };
    // Git takes its time; meanwhile the network does.
    let source = tokio::task::spawn_blocking(move || git::complete(given));
    let client = args.api.client().await?;
    let project = project::choose(&client, args.project.clone()).await?;
    let session = client.upload_session(&project).await;
    let source = source.await?;
    let session = match session {
        Ok(session) => session,
        Err(error) if error.is(ErrorCode::ProjectNotFound) => {
            create(&client, &args, &project, source.branch.as_deref()).await?
        }
        Err(error) => return Err(error.into()),
    };

    let branch = source.branch.as_deref().map(|branch| format!(" (branch {branch})")).unwrap_or_default();
    output::note(format_args!("Deploying {} to {project}{branch}", args.directory.display()));
    let options = DeployOptions {
        branch: source.branch,
        commit: source.commit,
        cache_dir: if args.no_cache { None } else { cache_dir(args.cache_home) },
        ..DeployOptions::new(&args.directory)
    };
    let deployed = deploy(&session, options, progress::observer()).await;
    output::set_bar(None);
    report(&deployed?, began, args.json)
}

/// Makes the project where that was asked for, or is when we ask.
async fn create(
    client: &PagesClient,
    args: &DeployArgs,
    project: &str,
    branch: Option<&str>,
) -> anyhow::Result<UploadSession> {
    let wanted = args.create
        || (prompt::is_interactive()
            && prompt::confirm(&format!("There is no project {project}. Create it?"), true)?);
    if !wanted {
        bail!(
            "there is no project {project} in this account; create it with \
             `offprint project create {project}`, or deploy with --create"
        );
    }
    let production = args.production_branch.as_deref().or(branch).unwrap_or("main");
    project::create(client, project, production).await?;
    Ok(client.upload_session(project).await?)
}

fn report(deployed: &Deployed, began: Instant, json: bool) -> anyhow::Result<()> {
    let Deployed { deployment, assets, uploaded, uploaded_bytes } = deployed;
    let elapsed = began.elapsed();
    if json {
        return output::json(&json!({
            "id": deployment.id,
            "url": deployment.url,
            "aliases": deployment.aliases,
            "environment": deployment.environment,
            "project_name": deployment.project_name,
            "assets": assets,
            "uploaded": uploaded,
            "uploaded_bytes": uploaded_bytes,
            "duration_ms": elapsed.as_millis() as u64,
        }));
    }
    let environment = &deployment.environment;
    let (seconds, files) = (elapsed.as_secs_f64(), progress::files(*assets));
    output::note(format_args!(
        "Live in {environment} after {seconds:.2} s: {uploaded} of {assets} {files} uploaded"
    ));
    for alias in &deployment.aliases {
        output::note(format_args!("Also at {alias}"));
    }
    output::line(format_args!("{}", deployment.url))
}

/// Refuses to drop Functions silently: a site that needs them would go live without.
fn refuse_functions(functions: &Path, directory: &Path) -> anyhow::Result<()> {
    // With a Worker of its own, a site has no Functions.
    if holds_code(functions, 4) && !directory.join("_worker.js").exists() {
        bail!(
            "functions/ needs bundling, which `wrangler pages deploy` does for now; \
             to deploy the static files without it, pass --skip-functions"
        );
    }
    Ok(())
}

fn holds_code(directory: &Path, depth: usize) -> bool {
    let code = |path: &Path| {
        path.extension()
            .is_some_and(|e| ["js", "mjs", "jsx", "ts", "mts", "tsx"].iter().any(|known| e == *known))
    };
    fs::read_dir(directory).into_iter().flatten().flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => depth > 0 && holds_code(&entry.path(), depth - 1),
        Ok(_) => code(&entry.path()),
        Err(_) => false,
    })
}

fn cache_dir(cache_home: Option<PathBuf>) -> Option<PathBuf> {
    let platform = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    // A relative path is to be ignored by the rules for this variable.
    let home = cache_home.filter(|dir| dir.is_absolute());
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(platform)))?;
    Some(home.join("offprint").join("keys"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_never_dropped_silently() {
        let root = tempfile::tempdir().unwrap();
        let (functions, site) = (root.path().join("functions"), root.path().join("dist"));
        assert!(refuse_functions(&functions, &site).is_ok());
        fs::create_dir_all(functions.join("api")).unwrap();
        fs::write(functions.join("README.md"), "").unwrap();
        assert!(refuse_functions(&functions, &site).is_ok());
        fs::write(functions.join("api/hello.ts"), "").unwrap();
        assert!(refuse_functions(&functions, &site).unwrap_err().to_string().contains("--skip-functions"));
        fs::create_dir(&site).unwrap();
        fs::write(site.join("_worker.js"), "").unwrap();
        assert!(refuse_functions(&functions, &site).is_ok());
    }
}

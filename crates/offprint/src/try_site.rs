//! `offprint try DIR`: from a folder to a live site with one command.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use offprint_client::deploy::{DeployOptions, Event, STORE_NAME, deploy};
use offprint_client::{ClientOptions, ErrorKind, PagesApi, PagesClient};
use offprint_model::name::ProjectName;
use offprint_model::secret::Secret;

use crate::cli::output;
use crate::config::{ServeConfig, ServeFlags};
use crate::logging;
use crate::server::{Server, told_to_stop};

/// The branch that `try` deploys and its projects serve.
const BRANCH: &str = "main";

/// What to serve, and where.
#[derive(clap::Args)]
pub(crate) struct TryArgs {
    /// The folder to serve
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The project's name [default: the folder's]
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    flags: ServeFlags,
}

/// Starts a server with a store in `.offprint/`, deploys the folder, and serves until it is told to stop.
///
/// # Errors
/// The folder is not one, the server cannot start, or the deployment failed.
pub(crate) async fn run(args: TryArgs) -> anyhow::Result<()> {
    ensure!(args.directory.is_dir(), "{} is not a folder", args.directory.display());
    let project = project_name(args.project.as_deref(), &args.directory)?;
    let typed_tls = args.flags.tls_cert.is_some() || args.flags.tls_key.is_some();
    ensure!(!typed_tls, "tls-cert: `offprint try` speaks plain HTTP; `offprint serve` speaks TLS");
    let mut flags = args.flags.with_file()?;
    (flags.tls_cert, flags.tls_key) = (None, None);
    // The log is for people who run a server; here only what is wrong matters.
    flags.log.get_or_insert_with(|| "warn".into());
    let config = ServeConfig::check(flags)?;
    refuse_own_store(&config.data, &args.directory)?;
    logging::start(&config.log, config.log_format)?;

    let (server, token) = start(config).await?;
    let client = PagesApi::new(ClientOptions::new(format!("{}/client/v4", server.origin()), token.clone()))?
        .in_account(server.bootstrap.account.clone());
    let url = publish(&client, &project, &args.directory).await?;
    announce(&server, &project, &url, &token)?;
    told_to_stop().await?;
    server.shutdown().await;
    Ok(())
}

/// The store holds keys and tokens: a site with it inside would publish them. The usual place is left out of
/// every deployment, another one cannot be.
fn refuse_own_store(data: &Path, directory: &Path) -> anyhow::Result<()> {
    let directory = directory.canonicalize()?;
    let data = std::path::absolute(data)?;
    // What is not there yet has no canonical path, but its parent may.
    let known =
        data.ancestors().find_map(|part| Some((part.canonicalize().ok()?, data.strip_prefix(part).ok()?)));
    let data = known.map_or_else(|| data.clone(), |(real, rest)| real.join(rest));
    let inside = data.strip_prefix(&directory).is_ok_and(|rest| !rest.iter().any(|part| part == STORE_NAME));
    ensure!(
        !inside && !directory.starts_with(&data),
        "{} is the store of the server and would be published; choose another with --data, or another folder",
        data.display()
    );
    Ok(())
}

/// Starts the server, on another port where the usual one is taken.
async fn start(mut config: ServeConfig) -> anyhow::Result<(Server, Secret<String>)> {
    let token = match config.bootstrap_token.take() {
        Some(token) => token,
        None => remembered_token(&config.data)?,
    };
    config.bootstrap_token = Some(token.clone());
    if std::net::TcpListener::bind(config.listen).is_err() {
        output::note(format_args!("{} is in use; another port is taken.", config.listen));
        config.listen = SocketAddr::new(config.listen.ip(), 0);
    }
    Ok((Server::start(config).await?, token))
}

/// The token of earlier runs, or a new one that is remembered first, so that no crash can lose it.
fn remembered_token(data: &Path) -> anyhow::Result<Secret<String>> {
    let path = data.join("token");
    match fs::read_to_string(&path) {
        Ok(token) => return Ok(Secret::new(token.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make {}", data.display()))?;
    let token: String = rand::random::<[u8; 24]>().iter().map(|byte| format!("{byte:02x}")).collect();
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{token}").and_then(|()| file.sync_all()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Secret::new(token))
}

/// Deploys the folder to its project, which is made where it is not there; returns the deployment's own URL.
async fn publish(client: &PagesClient, project: &ProjectName, directory: &Path) -> anyhow::Result<String> {
    match client.project(project.as_str()).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            client.create_project(project.as_str(), BRANCH).await?;
        }
        Err(error) => return Err(error.into()),
    }
    let session = client.upload_session(project.as_str()).await?;
    let options = DeployOptions { branch: Some(BRANCH.into()), ..DeployOptions::new(directory) };
    let warn = |event| {
        if let Event::Warning(text) = event {
            output::note(format_args!("Warning: {text}"));
        }
    };
    let deployed = deploy(&session, options, Arc::new(warn)).await?;
    output::note(format_args!("Deployed {} assets, {} of them new.", deployed.assets, deployed.uploaded));
    Ok(deployed.deployment.url)
}

fn announce(server: &Server, project: &ProjectName, url: &str, token: &Secret<String>) -> anyhow::Result<()> {
    let public = &server.public_url;
    output::line(format_args!(""))?;
    output::line(format_args!("  Live         {}", server.site_url(project)))?;
    output::line(format_args!("  Deployment   {url}"))?;
    output::line(format_args!("  Dashboard    {public}/"))?;
    output::line(format_args!("  API          {public}/client/v4"))?;
    output::line(format_args!(""))?;
    output::line(format_args!("  To deploy with the tools you use already:"))?;
    output::line(format_args!(""))?;
    output::line(format_args!("    export CLOUDFLARE_API_BASE_URL={public}/client/v4"))?;
    output::line(format_args!("    export CLOUDFLARE_ACCOUNT_ID={}", server.bootstrap.account))?;
    output::line(format_args!("    export CLOUDFLARE_API_TOKEN={}", token.expose()))?;
    output::line(format_args!("    npx wrangler pages deploy DIR --project-name {project}"))?;
    output::line(format_args!(""))?;
    output::line(format_args!("  Serving until Ctrl-C."))
}

/// The name that was given, or the folder's made fit.
fn project_name(given: Option<&str>, directory: &Path) -> anyhow::Result<ProjectName> {
    if let Some(name) = given {
        return ProjectName::parse(name).with_context(|| format!("project: '{name}'"));
    }
    let path = directory.canonicalize()?;
    let folder = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let fit: String = folder
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(58)
        .collect();
    let fit = fit.trim_matches('-');
    ProjectName::parse(if fit.is_empty() { "site" } else { fit })
        .with_context(|| format!("'{folder}' makes no project name; give one with --project"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lends_its_name_to_the_project() {
        let directory = tempfile::tempdir().unwrap();
        for (folder, name) in [("My Site", "my-site"), ("dist", "dist"), ("---", "site"), ("_ä_", "site")] {
            let path = directory.path().join(folder);
            fs::create_dir(&path).unwrap();
            assert_eq!(project_name(None, &path).unwrap().as_str(), name);
        }
    }

    #[test]
    fn the_token_is_the_same_in_the_next_run_and_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let first = remembered_token(directory.path()).unwrap();
        let second = remembered_token(directory.path()).unwrap();
        assert!(first == second && first.expose().len() == 48);
        let mode = fs::metadata(directory.path().join("token")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

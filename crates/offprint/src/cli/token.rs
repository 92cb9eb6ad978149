//! `offprint token`.

use offprint_client::types::Token;
use offprint_client::{NewToken, PagesClient, TokenPermission};

use super::args::ApiArgs;
use super::{output, prompt};

/// What to do with API tokens.
#[derive(clap::Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token and print its secret, this once
    Create {
        /// What it is for
        name: String,
        /// What it may do
        #[arg(long, value_enum, default_value_t = Permission::Write)]
        permission: Permission,
        /// When it ends: a date, or RFC 3339 [default: never]
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// List the account's tokens, without their secrets
    List {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// End a token at once
    Revoke {
        /// Its id, as `offprint token list` shows it
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
}

/// What a token may do.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Permission {
    /// Look
    Read,
    /// Look and change
    Write,
}

/// Runs the command.
///
/// # Errors
/// The API refused or could not be reached.
pub(crate) async fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { name, permission, expires, json, api } => {
            let permission = match permission {
                Permission::Read => TokenPermission::Read,
                Permission::Write => TokenPermission::Write,
            };
            let new = NewToken { name, permission, expires_on: expires.as_deref().map(instant) };
            create(&api.client().await?, &new, json).await
        }
        TokenCommand::List { json, api } => list(&api.client().await?, json).await,
        TokenCommand::Revoke { id, yes, api } => {
            let client = api.client().await?;
            prompt::confirm_or_flag(&format!("End the token {id} for good?"), yes)?;
            client.revoke_token(&id).await?;
            output::note(format_args!("Revoked {id}."));
            Ok(())
        }
    }
}

async fn create(client: &PagesClient, new: &NewToken, json: bool) -> anyhow::Result<()> {
    let token = client.create_token(new).await?;
    if json {
        return output::json(&token);
    }
    output::note(format_args!(
        "Created the token {} ({}). Its secret is shown only here:",
        token.name, token.id
    ));
    output::line(format_args!("{}", token.value.unwrap_or_default()))
}

async fn list(client: &PagesClient, json: bool) -> anyhow::Result<()> {
    let tokens = client.tokens().await?;
    if json {
        return output::json(&tokens);
    }
    let row = |token: &Token| {
        let or = |text: &Option<String>, none: &str| text.clone().unwrap_or_else(|| none.to_owned());
        [
            token.id.clone(),
            token.name.clone(),
            token.permissions().join(", "),
            token.status.clone(),
            or(&token.expires_on, "never"),
            or(&token.last_used_on, "never"),
        ]
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    output::table(&["id", "name", "permission", "status", "expires", "last used"], &rows, false)
}

/// A date alone is its first instant.
fn instant(text: &str) -> String {
    if text.contains(['T', 't']) { text.to_owned() } else { format!("{text}T00:00:00Z") }
}

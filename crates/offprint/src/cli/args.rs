//! Where the API is and who we are: the flags that all client commands share.

use std::sync::Arc;

use anyhow::{Context, bail};
use offprint_client::retry::RetryNotice;
use offprint_client::types::Account;
use offprint_client::{ClientOptions, PagesApi, PagesClient};
use offprint_model::id::AccountId;
use offprint_model::secret::Secret;

use super::output;

/// The API, with the variables that wrangler reads as well.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "API")]
pub(crate) struct ApiArgs {
    /// Address of the API
    #[arg(
        long,
        env = "CLOUDFLARE_API_BASE_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8788/client/v4"
    )]
    pub api_url: String,

    /// API token; better set as a variable than typed, where others can read it
    #[arg(long, env = "CLOUDFLARE_API_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,

    /// Account id; not needed where the token sees exactly one
    #[arg(long, env = "CLOUDFLARE_ACCOUNT_ID", hide_env_values = true, value_name = "ID")]
    pub account: Option<String>,
}

impl ApiArgs {
    /// Prepares the connection.
    ///
    /// # Errors
    /// There is no token, or the address cannot be used.
    pub(crate) fn api(&self) -> anyhow::Result<PagesApi> {
        let token = self.token.as_deref().map(str::trim).filter(|token| !token.is_empty()).context(
            "no API token; set CLOUDFLARE_API_TOKEN (`offprint try` and the first `offprint serve` print one)",
        )?;
        let options = ClientOptions {
            on_retry: Some(Arc::new(tell_retry)),
            ..ClientOptions::new(self.api_url.trim(), Secret::new(token.to_owned()))
        };
        Ok(PagesApi::new(options)?)
    }

    /// Prepares the connection and chooses the account.
    ///
    /// # Errors
    /// As [`Self::api`], and when the account is neither given nor the only one.
    pub(crate) async fn client(&self) -> anyhow::Result<PagesClient> {
        let api = self.api()?;
        if let Some(account) = self.account.as_deref().map(str::trim).filter(|account| !account.is_empty()) {
            return Ok(api.in_account(AccountId::new(account)));
        }
        let account = only(api.accounts().await?)?;
        Ok(api.in_account(AccountId::new(account.id)))
    }
}

fn only(mut accounts: Vec<Account>) -> anyhow::Result<Account> {
    match (accounts.pop(), accounts.is_empty()) {
        (Some(account), true) => Ok(account),
        (None, _) => bail!("the token sees no account; set CLOUDFLARE_ACCOUNT_ID"),
        (Some(last), false) => {
            accounts.push(last);
            let lines: Vec<_> = accounts.iter().map(|a| format!("  {}  {}", a.id, a.name)).collect();
            bail!(
                "the token sees several accounts; set CLOUDFLARE_ACCOUNT_ID to one of\n{}",
                lines.join("\n")
            )
        }
    }
}

fn tell_retry(notice: &RetryNotice) {
    output::note(format_args!("{}; trying again in {:.1} s", notice.reason, notice.wait.as_secs_f64()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(ids: &[&str]) -> Vec<Account> {
        ids.iter()
            .map(|id| serde_json::from_value(serde_json::json!({"id": id, "name": "n"})).unwrap())
            .collect()
    }

    #[test]
    fn an_account_is_chosen_only_where_there_is_no_choice() {
        assert_eq!(only(accounts(&["a"])).unwrap().id, "a");
        assert!(only(Vec::new()).is_err());
        let several = only(accounts(&["a", "b"])).unwrap_err().to_string();
        assert!(several.contains("CLOUDFLARE_ACCOUNT_ID") && several.contains("  a  n\n  b  n"), "{several}");
    }
}

//! Accounts, API tokens, and the receipts that a token earns.

use offprint_model::id::{AccountId, TokenId};
use offprint_model::listing;
use offprint_model::secret::Secret;
use offprint_model::time::Timestamp;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::{Row, Rows, Tx, values};
use crate::deployments::returned;
use crate::error::{Entity, Result, StoreError};
use crate::events::{Actor, NewEvent, Via, note_event};
use crate::open::Store;
use crate::public_id::new_id;

const TOKEN_CHARACTERS: usize = 40;
/// The last use of a token is noted this often at the most, in microseconds.
const LAST_USED_STEP: i64 = 60_000_000;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Look at everything of the account.
    Read,
    /// Change it as well.
    Write,
}

impl Permission {
    /// The name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    fn stored(name: &str) -> Result<Self> {
        match name {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            other => Err(StoreError::Corrupt(format!("unknown permission {other}"))),
        }
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name, for people.
    pub name: String,
    /// The address of its owner.
    pub email: String,
    /// When it was made.
    pub created: Timestamp,
}

/// An API token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id, which is not secret.
    pub id: TokenId,
    /// The account for which it is good.
    pub account: AccountId,
    /// Its name, for people.
    pub name: String,
    /// What it may do.
    pub permission: Permission,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worthless.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
}

/// What [`Store::bootstrap`] found or made.
pub struct Bootstrap {
    /// The account.
    pub account: AccountId,
    /// The secret of a token that was made by this very call, to be shown once. `None` when the caller knows
    /// it or the account had a token.
    pub token: Option<Secret<String>>,
}

/// Who holds a token.
#[derive(Clone, Debug)]
pub struct Principal {
    token: TokenId,
    email: String,
    accounts: Vec<AccountId>,
    account_seqs: Vec<i64>,
    permission: Permission,
    expires: Option<Timestamp>,
    /// The projects for which the token is good; `None`: all of its accounts.
    apps: Option<Vec<i64>>,
    actor: Actor,
}

/// Why a principal gets no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The account does not exist, or is not the token's; which one is not told.
    #[error("the token is not for this account")]
    UnknownAccount,
    /// The token may only read.
    #[error("the token may not change anything")]
    Insufficient,
}

impl Principal {
    /// The token's id.
    pub const fn token_id(&self) -> &TokenId {
        &self.token
    }

    /// The address that `X-Auth-Email` must equal.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// What the token may do.
    pub const fn permission(&self) -> Permission {
        self.permission
    }

    /// From when on the token is worthless.
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The accounts for which the token is good.
    pub fn accounts(&self) -> &[AccountId] {
        &self.accounts
    }

    /// The same, and through which door and from where it came: what it does is written down so.
    #[must_use]
    pub fn through(self, via: Via, address: Option<String>) -> Self {
        Self { actor: Actor::new(self.actor.key, via, address), ..self }
    }

    /// Whether the token is good for some apps only. Such a token has no scope of an account.
    pub const fn is_limited(&self) -> bool {
        self.apps.is_some()
    }

    /// The numbers of its accounts.
    pub(crate) fn account_seqs(&self) -> &[i64] {
        &self.account_seqs
    }

    /// The numbers of the projects that a limited token is good for.
    pub(crate) fn apps(&self) -> Option<&[i64]> {
        self.apps.as_deref()
    }

    /// Who acts.
    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The receipt that the caller may act in the account.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn scope(&self, account: &AccountId, permission: Permission) -> Result<AccountScope, Denied> {
        let found = self.accounts.iter().position(|candidate| candidate == account);
        let index = found.ok_or(Denied::UnknownAccount)?;
        if permission > self.permission || self.is_limited() {
            return Err(Denied::Insufficient);
        }
        let actor = self.actor.clone();
        Ok(AccountScope { account: account.clone(), seq: self.account_seqs[index], actor })
    }
}

/// Receipt: the caller may act in this account. Made by [`Principal::scope`] and, for a bearer of an upload
/// token, by [`ProjectScope::account_scope`](crate::ProjectScope::account_scope).
#[derive(Clone, Debug)]
pub struct AccountScope {
    pub(crate) account: AccountId,
    pub(crate) seq: i64,
    pub(crate) actor: Actor,
}

impl AccountScope {
    /// The account.
    pub const fn account(&self) -> &AccountId {
        &self.account
    }
}

const FIRST_ACCOUNT: &str = "SELECT seq, id FROM account ORDER BY seq LIMIT 1";
const ACCOUNT: &str = "SELECT seq, id, name, email, created FROM account WHERE id = $1";
const ADD_ACCOUNT: &str =
    "INSERT INTO account (id, name, email, created, public_id) VALUES ($1, $2, $3, $4, $5)
    RETURNING seq";
const ANY_TOKEN: &str = "SELECT id FROM token WHERE account_seq = $1 LIMIT 1";
const TOKENS_BY_LOOKUP: &str = "SELECT t.id, t.hash, t.permission, t.expires, t.last_used,
        t.public_id, t.seq, t.limited, t.account_seq, a.id AS account, a.email
    FROM token t JOIN account a ON a.seq = t.account_seq WHERE t.lookup = $1";
const ADD_TOKEN: &str =
    "INSERT INTO token (id, account_seq, name, permission, lookup, hash, created, expires, public_id, limited)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING seq";
const APPS_OF_TOKEN: &str = "SELECT project_seq FROM token_app WHERE token_seq = $1 ORDER BY project_seq";
const FORGET_APPS: &str = "DELETE FROM token_app
    WHERE token_seq IN (SELECT seq FROM token WHERE account_seq = $1 AND id = $2)";
const PUBLIC_ID: &str = "SELECT public_id FROM token WHERE account_seq = $1 AND id = $2";
const TOKENS: &str = "SELECT id, name, permission, created, expires, last_used FROM token
    WHERE account_seq = $1 ORDER BY seq";
const REVOKE: &str = "DELETE FROM token WHERE account_seq = $1 AND id = $2";
const USED: &str = "UPDATE token SET last_used = $2 WHERE id = $1";

impl Store {
    /// Makes an account and a token where absent. Without an account id it is the store's first account, made
    /// with a random id; without a token, one is made and returned if the account has none.
    ///
    /// # Errors
    /// `Exists(Token)` when the token is another account's.
    pub async fn bootstrap(
        &self,
        account: Option<AccountId>,
        token: Option<Secret<String>>,
        name: &str,
        email: &str,
    ) -> Result<Bootstrap> {
        let tx = self.db().write("bootstrap").await?;
        let (seq, account) = ensure_account(&tx, account, name, email).await?;
        let mut made = None;
        if let Some(secret) = token {
            match find_token(&tx, &secret).await? {
                Some(known) if known.get::<i64>("account_seq")? == seq => {}
                Some(_) => return Err(StoreError::Exists(Entity::Token)),
                None => {
                    drop(NewToken::of("bootstrap", Permission::Write, None).add(&tx, seq, &secret).await?)
                }
            }
        } else if tx.one(ANY_TOKEN, values![seq]).await?.is_none() {
            let secret = new_secret();
            NewToken::of("bootstrap", Permission::Write, None).add(&tx, seq, &secret).await?;
            made = Some(secret);
        }
        tx.commit().await?;
        Ok(Bootstrap { account, token: made })
    }

    /// Who holds this token: `None` for an unknown or expired one. Only hashes are compared, in constant time.
    pub async fn authenticate(&self, secret: &Secret<String>) -> Result<Option<Principal>> {
        let Some(row) = find_token(self.db(), secret).await? else { return Ok(None) };
        let now = Clock::now();
        let expires = row.time_opt("expires")?;
        if expires.is_some_and(|expires| expires <= now) {
            return Ok(None);
        }
        let token = TokenId::new(row.get::<String>("id")?);
        let unseen = |used: Timestamp| now.as_micros() - used.as_micros() > LAST_USED_STEP;
        if row.time_opt("last_used")?.is_none_or(unseen) {
            self.note_use(token.clone(), now);
        }
        let apps = match row.get("limited")? {
            true => Some(self.apps_of_token(row.get("seq")?).await?),
            false => None,
        };
        Ok(Some(Principal {
            token,
            apps,
            actor: Actor::new(row.get("public_id")?, Via::System, None),
            email: row.get("email")?,
            accounts: vec![AccountId::new(row.get::<String>("account")?)],
            account_seqs: vec![row.get("account_seq")?],
            permission: Permission::stored(&row.get::<String>("permission")?)?,
            expires,
        }))
    }

    async fn apps_of_token(&self, token: i64) -> Result<Vec<i64>> {
        let rows = self.db().all(APPS_OF_TOKEN, values![token]).await?;
        rows.iter().map(|row| row.get("project_seq")).collect()
    }

    /// Notes the use of a token beside the request, which need not wait for a disk.
    fn note_use(&self, token: TokenId, now: Timestamp) {
        let store = self.clone();
        tokio::spawn(async move {
            let noted = async {
                let tx = store.db().write("note_use").await?;
                tx.run(USED, values![token.as_str(), now]).await?;
                tx.commit().await
            };
            if let Err(error) = noted.await {
                tracing::warn!(token.id = token.as_str(), %error, "cannot note the use of a token");
            }
        });
    }

    /// Makes a token. Its secret is returned this once.
    pub async fn create_token(
        &self,
        scope: &AccountScope,
        name: &str,
        permission: Permission,
        expires: Option<Timestamp>,
    ) -> Result<(Token, Secret<String>)> {
        let secret = new_secret();
        let tx = self.db().write("create_token").await?;
        let new = NewToken::of(name, permission, expires);
        let AddedToken { id, created, public_id, seq: _ } = new.add(&tx, scope.seq, &secret).await?;
        tell(&tx, scope, "api_key.created", &public_id, created).await?;
        tx.commit().await?;
        let account = scope.account.clone();
        let token =
            Token { id, account, name: name.to_owned(), permission, created, expires, last_used: None };
        Ok((token, secret))
    }

    /// The account's tokens, oldest first.
    pub async fn list_tokens(&self, scope: &AccountScope) -> Result<Vec<Token>> {
        let rows = self.db().all(TOKENS, values![scope.seq]).await?;
        rows.iter().map(|row| token_of(scope, row)).collect()
    }

    /// Makes a token worthless, from the next request on.
    ///
    /// # Errors
    /// `NotFound(Token)`.
    pub async fn revoke_token(&self, scope: &AccountScope, id: &TokenId) -> Result<()> {
        let tx = self.db().write("revoke_token").await?;
        let known = tx.one(PUBLIC_ID, values![scope.seq, id.as_str()]).await?;
        let public_id: String = known.ok_or(StoreError::NotFound(Entity::Token))?.get("public_id")?;
        tx.run(FORGET_APPS, values![scope.seq, id.as_str()]).await?;
        tx.run(REVOKE, values![scope.seq, id.as_str()]).await?;
        tell(&tx, scope, "api_key.revoked", &public_id, Clock::now()).await?;
        tx.commit().await
    }

    /// The accounts for which a token is good.
    pub async fn accounts(&self, principal: &Principal) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        for id in &principal.accounts {
            if let Some(row) = self.db().one(ACCOUNT, values![id.as_str()]).await? {
                accounts.push(Account {
                    id: id.clone(),
                    name: row.get("name")?,
                    email: row.get("email")?,
                    created: row.time("created")?,
                });
            }
        }
        Ok(accounts)
    }
}

async fn ensure_account(tx: &Tx, id: Option<AccountId>, name: &str, email: &str) -> Result<(i64, AccountId)> {
    let found = match &id {
        Some(id) => tx.one(ACCOUNT, values![id.as_str()]).await?,
        None => tx.one(FIRST_ACCOUNT, values![]).await?,
    };
    if let Some(row) = found {
        return Ok((row.get("seq")?, AccountId::new(row.get::<String>("id")?)));
    }
    let id = id.unwrap_or_else(|| AccountId::new(Uuid::new_v4().simple().to_string()));
    let now = Clock::now();
    let values = values![id.as_str(), name, email, now, new_id(listing::Entity::Workspace, now)];
    let rows = tx.returning(ADD_ACCOUNT, values).await?;
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("an insert returned no row".into()))?;
    Ok((row.get("seq")?, id))
}

async fn find_token(rows: &impl Rows, secret: &Secret<String>) -> Result<Option<Row>> {
    let hash = token_hash(secret);
    for row in rows.all(TOKENS_BY_LOOKUP, values![lookup(&hash)]).await? {
        if bool::from(row.get::<Vec<u8>>("hash")?.as_slice().ct_eq(hash.as_slice())) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// A token to be added.
pub(crate) struct NewToken<'a> {
    pub(crate) name: &'a str,
    pub(crate) permission: Permission,
    pub(crate) expires: Option<Timestamp>,
    /// Whether it is good for some apps only, which are then noted beside.
    pub(crate) limited: bool,
}

/// A token that was added.
pub(crate) struct AddedToken {
    pub(crate) id: TokenId,
    pub(crate) public_id: String,
    pub(crate) created: Timestamp,
    pub(crate) seq: i64,
}

impl<'a> NewToken<'a> {
    const fn of(name: &'a str, permission: Permission, expires: Option<Timestamp>) -> Self {
        Self { name, permission, expires, limited: false }
    }

    pub(crate) async fn add(self, tx: &Tx, account: i64, secret: &Secret<String>) -> Result<AddedToken> {
        let id = TokenId::new(Uuid::new_v4().simple().to_string());
        let (now, hash) = (Clock::now(), token_hash(secret));
        let public_id = new_id(listing::Entity::ApiKey, now);
        let values = values![
            id.as_str(),
            account,
            self.name,
            self.permission.as_str(),
            lookup(&hash),
            hash.to_vec(),
            now,
            self.expires,
            &public_id,
            self.limited
        ];
        let seq = returned(&tx.returning(ADD_TOKEN, values).await?)?;
        Ok(AddedToken { id, public_id, created: now, seq })
    }
}

async fn tell(tx: &Tx, scope: &AccountScope, kind: &str, subject: &str, now: Timestamp) -> Result<()> {
    note_event(tx, &scope.actor, NewEvent::of_account(scope.seq, kind, subject), now).await.map(drop)
}

fn token_of(scope: &AccountScope, row: &Row) -> Result<Token> {
    Ok(Token {
        id: TokenId::new(row.get::<String>("id")?),
        account: scope.account.clone(),
        name: row.get("name")?,
        permission: Permission::stored(&row.get::<String>("permission")?)?,
        created: row.time("created")?,
        expires: row.time_opt("expires")?,
        last_used: row.time_opt("last_used")?,
    })
}

/// A token is 40 random characters, so a plain hash of it cannot be guessed back.
fn token_hash(secret: &Secret<String>) -> [u8; 32] {
    blake3::derive_key("offprint store 2026 api token", secret.expose().as_bytes())
}

fn lookup(hash: &[u8; 32]) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// A secret that nobody can guess: 40 letters and digits.
pub(crate) fn new_secret() -> Secret<String> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let character = |_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]);
    Secret::new((0..TOKEN_CHARACTERS).map(character).collect())
}

//! Custom domains. A name may wait in several projects; it is active in one at the most.

use offprint_model::id::DomainId;
use offprint_model::name::Hostname;
use offprint_model::project::{Domain, DomainStatus};
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::{Row, Rows, values};
use crate::error::{Entity, Result, StoreError};
use crate::open::Store;
use crate::projects::{ProjectScope, stored_name};
use crate::routing::routes_changed;

macro_rules! select_domain {
    ($rest:literal) => {
        concat!("SELECT id, name, status, error, created FROM domain WHERE project_seq = $1 ", $rest)
    };
}

const LIST: &str = select_domain!("ORDER BY seq");
const BY_NAME: &str = select_domain!("AND name = $2");
const ADD: &str = "INSERT INTO domain (id, project_seq, name, status, created)
    SELECT $1, seq, $3, $4, $5 FROM project WHERE seq = $2 ON CONFLICT (project_seq, name) DO NOTHING";
const PROJECT: &str = "SELECT seq FROM project WHERE seq = $1";
const ACTIVE_ELSEWHERE: &str =
    "SELECT id FROM domain WHERE name = $2 AND status = 'active' AND project_seq <> $1";
const REMOVE: &str = "DELETE FROM domain WHERE project_seq = $1 AND name = $2";
const SET_STATUS: &str = "UPDATE domain SET status = $3, error = $4 WHERE project_seq = $1 AND name = $2";

impl Store {
    /// Adds a domain, which then is `Initializing`.
    ///
    /// # Errors
    /// `NotFound(Project)`, `Exists(Domain)` when the project has it, `TakenElsewhere` when it is active in
    /// another project.
    pub async fn add_domain(&self, scope: &ProjectScope, name: &Hostname) -> Result<Domain> {
        let tx = self.db().write("add_domain").await?;
        if tx.one(PROJECT, values![scope.seq]).await?.is_none() {
            return Err(StoreError::NotFound(Entity::Project));
        }
        if tx.one(ACTIVE_ELSEWHERE, values![scope.seq, name.as_str()]).await?.is_some() {
            return Err(StoreError::TakenElsewhere);
        }
        let id = Uuid::new_v4().to_string();
        let status = DomainStatus::Initializing.as_str();
        let added = tx.run(ADD, values![id, scope.seq, name.as_str(), status, Clock::now()]).await?;
        if added == 0 {
            return Err(StoreError::Exists(Entity::Domain));
        }
        scope.tell_of(&tx, "domain.added", &[("domain", name.as_str())]).await?;
        let domain = find(&tx, scope, name).await?;
        tx.commit().await?;
        Ok(domain)
    }

    /// The project's domains, in the order they were added.
    pub async fn domains(&self, scope: &ProjectScope) -> Result<Vec<Domain>> {
        self.db().all(LIST, values![scope.seq]).await?.iter().map(domain_of).collect()
    }

    /// One domain of the project.
    ///
    /// # Errors
    /// `NotFound(Domain)`.
    pub async fn domain(&self, scope: &ProjectScope, name: &Hostname) -> Result<Domain> {
        find(self.db(), scope, name).await
    }

    /// Removes a domain, which stops answering.
    ///
    /// # Errors
    /// `NotFound(Domain)`.
    pub async fn remove_domain(&self, scope: &ProjectScope, name: &Hostname) -> Result<()> {
        let tx = self.db().write("remove_domain").await?;
        if tx.run(REMOVE, values![scope.seq, name.as_str()]).await? == 0 {
            return Err(StoreError::NotFound(Entity::Domain));
        }
        routes_changed(&tx, scope.project_name()).await?;
        scope.tell_of(&tx, "domain.removed", &[("domain", name.as_str())]).await?;
        tx.commit().await
    }

    /// Notes what a check of the domain found; from `Active` on it answers.
    ///
    /// # Errors
    /// `NotFound(Domain)`, `TakenElsewhere` when it is to be active and is so in another project.
    pub async fn set_domain_status(
        &self,
        scope: &ProjectScope,
        name: &Hostname,
        status: DomainStatus,
        error: Option<String>,
    ) -> Result<Domain> {
        let tx = self.db().write("set_domain_status").await?;
        let elsewhere = tx.one(ACTIVE_ELSEWHERE, values![scope.seq, name.as_str()]).await?;
        if status == DomainStatus::Active && elsewhere.is_some() {
            return Err(StoreError::TakenElsewhere);
        }
        let before = find(&tx, scope, name).await?;
        tx.run(SET_STATUS, values![scope.seq, name.as_str(), status.as_str(), error]).await?;
        if (before.status == DomainStatus::Active) != (status == DomainStatus::Active) {
            routes_changed(&tx, scope.project_name()).await?;
        }
        let data = [("domain", name.as_str()), ("status", status.as_str())];
        scope.tell_of(&tx, "domain.checked", &data).await?;
        let domain = find(&tx, scope, name).await?;
        tx.commit().await?;
        Ok(domain)
    }
}

async fn find(rows: &impl Rows, scope: &ProjectScope, name: &Hostname) -> Result<Domain> {
    let row = rows.one(BY_NAME, values![scope.seq, name.as_str()]).await?;
    domain_of(&row.ok_or(StoreError::NotFound(Entity::Domain))?)
}

/// A domain from the columns of a row.
pub(crate) fn domain_of(row: &Row) -> Result<Domain> {
    let status: String = row.get("status")?;
    let known = [DomainStatus::Initializing, DomainStatus::Pending, DomainStatus::Active];
    let parsed = known.into_iter().find(|known| known.as_str() == status);
    Ok(Domain {
        id: DomainId::new(row.get::<String>("id")?),
        name: Hostname::parse(&row.get::<String>("name")?).map_err(stored_name)?,
        status: parsed.ok_or_else(|| StoreError::Corrupt(format!("unknown status of a domain {status}")))?,
        error: row.get("error")?,
        created: row.time("created")?,
    })
}

//! The URL of a PostgreSQL database, which may hold a password.

use std::borrow::Cow;
use std::fmt;

use sqlx::postgres::PgConnectOptions;

/// The parameters that a URL may have after a question mark.
const PARAMETERS: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// A PostgreSQL database and how it is reached. Shown without its password.
#[derive(Clone)]
pub struct PostgresUrl(PgConnectOptions);

/// Why a text names no PostgreSQL database. Says nothing of the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPostgresUrl {
    /// Neither `postgres://` nor `postgresql://`.
    #[error("it does not begin with postgres://")]
    Scheme,
    /// A parameter that is not known.
    #[error("it has the unknown parameter '{0}'")]
    Parameter(String),
    /// Not a URL, or a value of it is not one.
    #[error("it is not a URL such as postgres://user@host/database")]
    Malformed,
    /// No database is named.
    #[error("it names no database; write it after the host, as in postgres://user@host/database")]
    NoDatabase,
}

impl PostgresUrl {
    /// Reads `postgres://user:password@host:port/database?parameters`. What is left out comes from the variables that
    /// PostgreSQL's own clients read, such as `PGPASSWORD`, and the password from `~/.pgpass` as well.
    ///
    /// # Errors
    /// [`BadPostgresUrl`].
    pub fn parse(text: &str) -> Result<Self, BadPostgresUrl> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(BadPostgresUrl::Scheme);
        }
        let parameters = text.split_once('?').map_or("", |(_, parameters)| parameters);
        let parameters = parameters.split('#').next().unwrap_or_default();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let name = parameter.split('=').next().unwrap_or_default();
            if !PARAMETERS.contains(&name) {
                return Err(BadPostgresUrl::Parameter(name.to_owned()));
            }
        }
        let options: PgConnectOptions = with_host(text).parse().map_err(|_| BadPostgresUrl::Malformed)?;
        if options.get_database().is_none() {
            return Err(BadPostgresUrl::NoDatabase);
        }
        let named = parameters.contains("application_name=");
        Ok(Self(if named { options } else { options.application_name("offprint") }))
    }

    pub(super) const fn options(&self) -> &PgConnectOptions {
        &self.0
    }
}

/// PostgreSQL's own clients take `postgres://user@/database?host=/directory`; a URL needs a host before the path.
fn with_host(text: &str) -> Cow<'_, str> {
    let authority = text.find("://").map_or(0, |at| at + 3);
    match text[authority..].find('/') {
        Some(end) if text[..authority + end].ends_with('@') => {
            let (before, path) = text.split_at(authority + end);
            Cow::Owned(format!("{before}localhost{path}"))
        }
        _ => Cow::Borrowed(text),
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.0;
        let database = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(socket) => {
                write!(
                    f,
                    "postgres://{}@localhost/{database}?host={}",
                    options.get_username(),
                    socket.display()
                )
            }
            None => {
                let (user, host) = (options.get_username(), options.get_host());
                write!(f, "postgres://{user}@{host}:{}/{database}", options.get_port())
            }
        }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let url = PostgresUrl::parse("postgres://me:hunter2@db.example:6432/sites?sslmode=require").unwrap();
        assert_eq!(url.to_string(), "postgres://me@db.example:6432/sites");
        assert_eq!(format!("{url:?}"), url.to_string());
        let url = PostgresUrl::parse("postgresql://me:hunter2@/sites?host=/run/postgresql").unwrap();
        assert_eq!(url.to_string(), "postgres://me@localhost/sites?host=/run/postgresql");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_text() {
        for (text, why) in [
            ("mysql://me:hunter2@host/db", BadPostgresUrl::Scheme),
            ("offprint.db", BadPostgresUrl::Scheme),
            ("postgres://me:hunter2@host:port/db", BadPostgresUrl::Malformed),
            ("postgres://me:hunter2@host/db?sslmode=perhaps", BadPostgresUrl::Malformed),
            ("postgres://me:hunter2@host/db?pasword=x", BadPostgresUrl::Parameter("pasword".into())),
            ("postgres://me:hunter2@host", BadPostgresUrl::NoDatabase),
        ] {
            assert_eq!(PostgresUrl::parse(text).err(), Some(why.clone()), "{text}");
            assert!(!why.to_string().contains("hunter2"));
        }
    }
}

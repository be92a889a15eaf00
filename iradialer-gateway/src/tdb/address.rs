//! Where the database is.

use crate::config::Secret;
use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a `database_url` must look like.
const EXPECTED: &str =
    "postgres://USER:PASSWORD@HOST:PORT/DATABASE, sqlite:///absolute/path, or nothing";

/// Where the database is. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of SQLite, made where there is none.
    File(PathBuf),
    /// A database of a PostgreSQL server: its URL.
    Server(Secret),
}

impl DatabaseUrl {
    /// The SQLite file at `path`.
    pub fn file(path: impl AsRef<Path>) -> Self {
        DatabaseUrl::File(path.as_ref().to_path_buf())
    }

    /// Reads `sqlite:///absolute/path` or `postgres://…`.
    ///
    /// # Errors
    /// With what was expected. What came is not shown where it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return match path.starts_with('/') {
                true => Ok(DatabaseUrl::file(path)),
                false => Err(format!("expected {EXPECTED}, got {text:?}")),
            };
        }
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err(format!("expected {EXPECTED}, got another text"));
        }
        match PgConnectOptions::from_str(text) {
            Ok(options) if options.get_database().is_some() => {
                Ok(DatabaseUrl::Server(Secret::new(text)))
            }
            Ok(_) => Err(format!("expected {EXPECTED}, got one without a DATABASE")),
            Err(error) => Err(format!(
                "expected {EXPECTED}, got one that can't be read: {error}"
            )),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match self {
            DatabaseUrl::File(path) => return write!(f, "{}", path.display()),
            DatabaseUrl::Server(url) => url,
        };
        let Ok(options) = PgConnectOptions::from_str(url.reveal()) else {
            return f.write_str("postgres://…");
        };
        write!(f, "postgres://{}@", options.get_username())?;
        match options.get_socket() {
            Some(socket) => write!(f, "{}", socket.display())?,
            None => write!(f, "{}:{}", options.get_host(), options.get_port())?,
        }
        write!(f, "/{}", options.get_database().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_without_its_password() {
        for (text, shown) in [
            ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
            (
                "postgres://ira:s3cret@db.example:5433/tdb?sslmode=require&password=s3cret",
                "postgres://ira@db.example:5433/tdb",
            ),
            (
                "postgresql://ira@%2Frun%2Fpostgresql/tdb",
                "postgres://ira@/run/postgresql/tdb",
            ),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
    }

    #[test]
    fn a_mistake_is_named_and_no_password_shown() {
        for text in [
            "sqlite://relative.db",
            "mysql://ira:s3cret@h/tdb",
            "postgres://ira:s3cret@h",
            "postgres://ira:s3cret@h:notaport/tdb",
            "s3cret",
        ] {
            let said = DatabaseUrl::parse(text).unwrap_err();
            assert!(said.contains("postgres://USER:PASSWORD@"), "{said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}

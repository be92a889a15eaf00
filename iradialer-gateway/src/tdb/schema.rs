//! Which migrations a database has had, without changing anything in it.

use super::kind::Target;
use super::row::number;
use super::{DatabaseUrl, Row, TdbError, migrator};
use sqlx::Connection as _;

/// A step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStep {
    /// Its number, from 1.
    pub version: i64,
    /// What it is about; `unknown` where a newer program has made it.
    pub name: String,
    /// Whether the database has it.
    pub is_applied: bool,
}

impl DatabaseUrl {
    /// Every step of the schema that this program or the database knows, the first one first. Nothing is made:
    /// a SQLite file that is not there has had none.
    ///
    /// # Errors
    /// Where the database can't be reached, or is something else.
    pub async fn schema(&self) -> Result<Vec<SchemaStep>, TdbError> {
        let is_new = matches!(self, DatabaseUrl::File(path) if !path.exists());
        let applied = match is_new {
            true => Vec::new(),
            false => applied(self).await?,
        };
        let migrator = migrator();
        let known = migrator.iter().map(|step| SchemaStep {
            version: step.version,
            name: step.description.to_string(),
            is_applied: applied.contains(&step.version),
        });
        let mut steps: Vec<SchemaStep> = known.collect();
        let last = steps.last().map_or(0, |step| step.version);
        let newer = applied.iter().filter(|version| **version > last);
        steps.extend(newer.map(|version| SchemaStep {
            version: *version,
            name: "unknown".to_owned(),
            is_applied: true,
        }));
        Ok(steps)
    }
}

async fn applied(url: &DatabaseUrl) -> Result<Vec<i64>, TdbError> {
    let target = Target::new(url)?;
    let mut connection = target.connect().await?;
    let rows: Result<Vec<Row>, sqlx::Error> =
        sqlx::query("SELECT version FROM _sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(&mut connection)
            .await;
    let versions = match rows {
        Ok(rows) => rows.iter().map(|row| number(row, "version")).collect(),
        // A database that no gateway has used yet has no such table.
        Err(sqlx::Error::Database(error)) if is_no_table(error.message()) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    };
    connection.close().await?;
    versions
}

/// What SQLite and PostgreSQL say of a table that is not there.
fn is_no_table(message: &str) -> bool {
    message.contains("no such table") || message.contains("does not exist")
}

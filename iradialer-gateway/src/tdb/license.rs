//! Licences that were installed, and the highest time that was seen.

use super::audit::{Change, note};
use super::row::{get, number, sql_ms};
use super::{Author, Connection, Row, Tdb, TdbError};
use iradialer_core::value::TenantId;
use serde_json::Value;

/// A licence to be installed. That it is signed and holds was found before.
#[derive(Debug, Clone)]
pub struct NewLicense {
    /// Its id.
    pub license_id: String,
    /// To whom it was given.
    pub customer: String,
    /// Rises with each that was given to the customer.
    pub serial: u64,
    /// It itself.
    pub token: String,
    /// When it was given out, ms since the Unix epoch.
    pub issued_ms: u64,
    /// What it says, for the audit log.
    pub says: Value,
    /// Whose entry of the audit log it is: who installs it acts for that tenant.
    pub tenant_id: TenantId,
}

/// A licence that was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledLicense {
    /// How many were installed up to it.
    pub place: u64,
    /// It itself.
    pub token: String,
    /// When, ms since the Unix epoch.
    pub installed_ms: u64,
}

/// What became of one that was to be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// It is in force now.
    New,
    /// It is the one in force already.
    Already,
    /// One of this serial was installed for its customer, and it is not later.
    Older(u64),
}

/// What is known of licences and of the time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LicenseState {
    /// The last that was installed.
    pub installed: Option<InstalledLicense>,
    /// The highest time seen, ms since the Unix epoch.
    pub highest_ms: u64,
}

impl Tdb {
    /// The licence in force, and the highest time seen.
    pub async fn license_state(&self) -> Result<LicenseState, TdbError> {
        let read = async |reader: &mut Connection| {
            let installed = sqlx::query(IN_FORCE).fetch_optional(&mut *reader).await?;
            let clock = sqlx::query("SELECT highest_ms FROM license_clock");
            let clock = clock.fetch_optional(reader).await?;
            let highest_ms = clock.as_ref().map(|row| number(row, "highest_ms"));
            Ok(LicenseState {
                installed: installed.as_ref().map(from_row).transpose()?,
                highest_ms: highest_ms.transpose()?.unwrap_or(0),
            })
        };
        self.readers.read(read).await
    }

    /// Installs a licence unless one as late, or later, was installed for its customer. Time begins anew with
    /// it: it was given out then, so whatever was seen before of a clock that ran ahead is over.
    pub async fn install_license(
        &self,
        license: NewLicense,
        author: Author,
        now_ms: u64,
    ) -> Result<Installed, TdbError> {
        self.writer
            .write(move |connection| Box::pin(install(connection, license, author, now_ms)))
            .await
    }

    /// The serial and the id of the latest licence that was installed for a customer.
    pub async fn latest_license(&self, customer: &str) -> Result<Option<(u64, String)>, TdbError> {
        let row = sqlx::query(LATEST)
            .bind(customer.to_owned())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok((number(&row, "serial")?, get(&row, "license_id")?)))
            .transpose()
    }

    /// Notes that it was this time at least, as it is judged under the licence of `place` (0: none): time begins anew
    /// with each.
    pub async fn note_time(&self, at_ms: u64, place: u64) -> Result<(), TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO license_clock (one, highest_ms)
                         SELECT 1, $1 FROM (SELECT COALESCE(MAX(place), 0) AS last FROM licenses) AS installed
                         WHERE installed.last = $2
                         ON CONFLICT (one) DO UPDATE SET highest_ms = $1
                         WHERE license_clock.highest_ms < $1",
                    )
                    .bind(sql_ms(at_ms))
                    .bind(sql_ms(place))
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Notes that the operator is told that so many days are left of a licence. False: somebody told it before,
    /// or that fewer are.
    pub async fn tell_of_license(
        &self,
        license_id: String,
        days: u32,
        now_ms: u64,
    ) -> Result<bool, TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let told = sqlx::query(
                        "INSERT INTO license_warnings (license_id, days, told_ms)
                         SELECT $1, $2, $3 WHERE NOT EXISTS (
                             SELECT 1 FROM license_warnings WHERE license_id = $1 AND days <= $2)",
                    )
                    .bind(license_id)
                    .bind(i64::from(days))
                    .bind(sql_ms(now_ms))
                    .execute(connection)
                    .await?;
                    Ok(told.rows_affected() == 1)
                })
            })
            .await
    }
}

const IN_FORCE: &str = "
    SELECT place, license_id, token, installed_ms FROM licenses ORDER BY place DESC LIMIT 1";

const LATEST: &str = "
    SELECT serial, license_id FROM licenses WHERE customer = $1 ORDER BY serial DESC LIMIT 1";

async fn install(
    connection: &mut Connection,
    license: NewLicense,
    author: Author,
    now_ms: u64,
) -> Result<Installed, TdbError> {
    let before = sqlx::query(IN_FORCE)
        .fetch_optional(&mut *connection)
        .await?;
    let before_id = before.as_ref().map(|row| get::<String>(row, "license_id"));
    let before_id = before_id.transpose()?;
    if before_id.as_ref() == Some(&license.license_id) {
        return Ok(Installed::Already);
    }
    let latest = sqlx::query(LATEST)
        .bind(&license.customer)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = latest {
        let serial: u64 = number(&row, "serial")?;
        if serial >= license.serial {
            return Ok(Installed::Older(serial));
        }
    }
    let place = match &before {
        Some(row) => number::<u64>(row, "place")? + 1,
        None => 1,
    };
    sqlx::query(
        "INSERT INTO licenses (license_id, place, customer, serial, token, installed_ms)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&license.license_id)
    .bind(sql_ms(place))
    .bind(&license.customer)
    .bind(sql_ms(license.serial))
    .bind(&license.token)
    .bind(sql_ms(now_ms))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO license_clock (one, highest_ms) VALUES (1, $1)
         ON CONFLICT (one) DO UPDATE SET highest_ms = $1",
    )
    .bind(sql_ms(now_ms.max(license.issued_ms)))
    .execute(&mut *connection)
    .await?;
    let change = Change {
        tenant_id: license.tenant_id,
        action: "license.install",
        subject: license.license_id,
        was: before_id.map(|id| serde_json::json!({ "license_id": id })),
        became: Some(license.says),
        at_ms: now_ms,
    };
    note(connection, &author, change).await?;
    Ok(Installed::New)
}

fn from_row(row: &Row) -> Result<InstalledLicense, TdbError> {
    Ok(InstalledLicense {
        place: number(row, "place")?,
        token: get(row, "token")?,
        installed_ms: number(row, "installed_ms")?,
    })
}

//! Which router leads a region.

use super::row::{number, sql_ms};
use super::{Tdb, TdbError};

/// A router's right to give out a region's calls, for as long as it renews it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Rises with every taking; a switch refuses a lower one than it has seen.
    pub epoch: u64,
    /// When it ends unless it is renewed, ms since the Unix epoch by its holder's clock; 0 once it was given
    /// up. Each renewal changes it, by which others see that the holder lives.
    pub expires_ms: u64,
}

impl Tdb {
    /// The lease of `region` as it stands, whoever holds it.
    pub async fn seen_lease(&self, region: &str) -> Result<Option<Lease>, TdbError> {
        let sql = "SELECT epoch, expires_ms FROM router_leases WHERE region = $1";
        let row = sqlx::query(sql)
            .bind(region)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| {
            Ok(Lease {
                epoch: number(&row, "epoch")?,
                expires_ms: number(&row, "expires_ms")?,
            })
        })
        .transpose()
    }

    /// Takes the lease of `region` if nobody holds it, if `holder` held it before (a restart), or if it
    /// still stands as in `stale`, which the caller has watched for longer than a lease is good for: the
    /// clocks of two machines are not compared. The epoch rises each time, and begins with the time in
    /// seconds: a switch that has seen the epochs of a TDB that is lost does not refuse those of the new
    /// one, or of an older one that was put back. `None`: another holds it.
    pub async fn take_lease(
        &self,
        region: &str,
        holder: &str,
        stale: Option<Lease>,
        for_ms: u64,
        now_ms: u64,
    ) -> Result<Option<Lease>, TdbError> {
        let (region, holder) = (region.to_owned(), holder.to_owned());
        let expires_ms = now_ms + for_ms;
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let row = sqlx::query(
                        "INSERT INTO router_leases (region, holder, epoch, expires_ms)
                         VALUES ($1, $2, $4, $3)
                         ON CONFLICT (region) DO UPDATE
                         SET holder = $2, expires_ms = $3,
                             epoch = CASE WHEN router_leases.epoch >= $4
                                          THEN router_leases.epoch + 1 ELSE $4 END
                         WHERE router_leases.expires_ms = 0 OR router_leases.holder = $2
                            OR (router_leases.epoch = $5 AND router_leases.expires_ms = $6)
                         RETURNING epoch",
                    )
                    .bind(region)
                    .bind(holder)
                    .bind(sql_ms(expires_ms))
                    .bind(sql_ms(now_ms / 1000))
                    .bind(stale.map(|lease| sql_ms(lease.epoch)))
                    .bind(stale.map(|lease| sql_ms(lease.expires_ms)))
                    .fetch_optional(connection)
                    .await?;
                    row.map(|row| {
                        Ok(Lease {
                            epoch: number(&row, "epoch")?,
                            expires_ms,
                        })
                    })
                    .transpose()
                })
            })
            .await
    }

    /// Extends a lease. `None`: it was lost, and no more calls may be given out under it.
    pub async fn renew_lease(
        &self,
        region: &str,
        holder: &str,
        epoch: u64,
        for_ms: u64,
        now_ms: u64,
    ) -> Result<Option<Lease>, TdbError> {
        self.set_lease_end(region, holder, epoch, now_ms + for_ms)
            .await
    }

    /// Gives the lease up, so that another may take it at once.
    pub async fn drop_lease(&self, region: &str, holder: &str, epoch: u64) -> Result<(), TdbError> {
        self.set_lease_end(region, holder, epoch, 0).await?;
        Ok(())
    }

    async fn set_lease_end(
        &self,
        region: &str,
        holder: &str,
        epoch: u64,
        expires_ms: u64,
    ) -> Result<Option<Lease>, TdbError> {
        let (region, holder) = (region.to_owned(), holder.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let updated = sqlx::query(
                        "UPDATE router_leases
                         SET expires_ms = CASE WHEN $4 > 0 AND expires_ms = $4
                                               THEN $4 + 1 ELSE $4 END
                         WHERE region = $1 AND holder = $2 AND epoch = $3",
                    )
                    .bind(region)
                    .bind(holder)
                    .bind(sql_ms(epoch))
                    .bind(sql_ms(expires_ms))
                    .execute(connection)
                    .await?;
                    Ok((updated.rows_affected() == 1).then_some(Lease { epoch, expires_ms }))
                })
            })
            .await
    }
}

//! Events put straight into the TDB, as the collector would have left them, each due at its moment.

use crate::bench::tdb::{now_ms, open};
use crate::gateway::Gateway;
use anyhow::Result;
use sqlx::Connection;

/// How many events a call has: queued, started, ringing, answered, hangup.
pub const ALL: u64 = 5;
/// Calls written in one transaction.
const CHUNK: u64 = 20_000;

/// Calls whose events are due.
#[derive(Debug, Clone)]
pub struct Load {
    /// The number of the first of them; no two loads of a gateway share one.
    pub first: u64,
    /// How many.
    pub calls: u64,
    /// How many of its events are due, 1 to 5; all at once, and sent one after the other.
    pub each: u64,
    /// Where to: call `i` goes to `before`, a number from `hosts.0` on, `hosts.1` of them in turn, and `after`.
    pub before: String,
    /// The first number and how many there are.
    pub hosts: (u64, u64),
    /// The rest of the URL.
    pub after: String,
    /// When the first is due, ms since the Unix epoch.
    pub from_ms: u64,
    /// Between a call and the next one, µs.
    pub gap_us: u64,
}

impl Load {
    /// When a call's events are due, ms since the Unix epoch.
    pub fn due_ms(&self, call: u64) -> u64 {
        self.from_ms + (call - self.first) * self.gap_us / 1_000
    }

    /// How many events it is.
    pub fn events(&self) -> u64 {
        self.calls * self.each
    }

    /// Writes all of it.
    pub async fn put(&self, gateway: &Gateway) -> Result<()> {
        let mut tdb = open(gateway).await?;
        let end = self.first + self.calls;
        for first in (self.first..end).step_by(CHUNK as usize) {
            let next = (first + CHUNK).min(end);
            let mut transaction = tdb.begin().await?;
            for sql in [CALLS, CALL_EVENTS, WEBHOOKS] {
                sqlx::query(sql)
                    .bind(first as i64)
                    .bind(next as i64)
                    .bind(now_ms() as i64)
                    .bind(&self.before)
                    .bind(self.hosts.0 as i64)
                    .bind(self.hosts.1 as i64)
                    .bind(&self.after)
                    .bind(self.first as i64)
                    .bind(self.from_ms as i64)
                    .bind(self.gap_us as i64)
                    .bind(self.each as i64)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
        }
        tdb.close().await?;
        Ok(())
    }
}

/// How many deliveries are done.
pub async fn delivered(gateway: &Gateway) -> Result<u64> {
    let mut tdb = open(gateway).await?;
    let sql = "SELECT COUNT(*) FROM webhooks WHERE state = 'delivered'";
    let (done,): (i64,) = sqlx::query_as(sql).fetch_one(&mut tdb).await?;
    tdb.close().await?;
    Ok(done.unsigned_abs())
}

/// The number of a call of a load, by its UUID.
pub fn call_number(call_uuid: &str) -> Option<u64> {
    u64::from_str_radix(call_uuid.rsplit('-').next()?, 16).ok()
}

const CALLS: &str = r#"
    WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
    INSERT INTO calls (call_uuid, tenant_id, campaign_name, origin, to_number, from_number, request, event_url,
        priority, created_ms, not_before_ms, body_hash, answer, state, attempt, trunk, node_id, last_seq,
        started_ms, ringing_ms, answered_ms, ended_ms, ended_by, hangup_cause, sip_status, duration_ms, billsec_ms)
    SELECT printf('0190b000-0000-7000-8000-%012x', i), 'bench', 'bench', 'api', '+15005550006', '+15005550100',
        '{"call_params":{"order":1047,"customer":"0190a000-0000-7000-8000-000000000001","token":"a secret of the receiver"},"channel_vars":{},"dial_timeout_s":30,"max_duration_s":60,"metadata":{}}',
        printf('%s%d%s', $4, $5 + i % $6, $7), 5, $3, $3, '', '{}', 'completed', 1, 'bench', 'switch-1', 5,
        $3, $3, $3, $3, 'callee', 'NORMAL_CLEARING', 200, 9000, 6000
    FROM n"#;

const CALL_EVENTS: &str = r#"
    WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2),
        kinds (seq, attempt, name, node, data) AS (VALUES
            (1, 0, 'queued', NULL, '{}'),
            (2, 1, 'started', 'switch-1', '{"trunk":"bench"}'),
            (3, 1, 'ringing', 'switch-1', '{"early_media":false,"after_ms":812}'),
            (4, 1, 'answered', 'switch-1', '{"after_ms":2950,"sip":{"call_id":"7ac2e1d0-5ac1-123d-1aa1-0242ac110002","dialer_ip":"192.0.2.7","network_ip":"198.51.100.9","user_agent":"carrier"}}'),
            (5, 1, 'hangup', 'switch-1', '{"hangup_cause":"NORMAL_CLEARING","sip_status":200,"sip_phrase":"OK","by":"callee","answered":true,"rang":true,"duration_ms":9000,"billsec_ms":6000,"variables":{"code":"4321","choice":"1"},"node":"bye","fault":null}'))
    INSERT INTO call_events (call_uuid, seq, attempt, attempt_seq, name, at_ms, stored_ms, node_id, data, is_final)
    SELECT printf('0190b000-0000-7000-8000-%012x', i), seq, attempt, seq, name, $3, $3, node, data, seq = 5
    FROM n CROSS JOIN kinds"#;

const WEBHOOKS: &str = "
    WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2),
        seqs(seq) AS (VALUES (1), (2), (3), (4), (5))
    INSERT INTO webhooks (call_uuid, seq, tenant_id, campaign_name, url, origin, receiver, state, tries, created_ms, next_ms)
    SELECT printf('0190b000-0000-7000-8000-%012x', i), seq, 'bench', 'bench',
        printf('%s%d%s', $4, $5 + i % $6, $7),
        printf('%s%d%s', $4, $5 + i % $6, substr($7, 1, instr($7, '/') - 1)),
        'bench ' || printf('%s%d%s', $4, $5 + i % $6, substr($7, 1, instr($7, '/') - 1)),
        'due', 0, $3, $9 + (i - $8) * $10 / 1000
    FROM n CROSS JOIN seqs WHERE seq <= $11";

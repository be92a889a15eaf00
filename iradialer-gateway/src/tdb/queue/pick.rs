//! The SQL that finds a campaign's next calls, at the same cost whatever else is queued.
//!
//! Each priority is looked up by itself, and read from where its calls may be dialled up to as many as are
//! asked for; so nothing that waits for later is walked past, and the best of at most eleven short lists are
//! taken. The limit is written out: a planner that is not told it would prepare for a tenth of the table.

use std::fmt::Write as _;

/// The shortest list. Longer ones double, so that there are few statements to prepare.
const SHORTEST: u32 = 64;
/// The highest priority.
const HIGHEST: u8 = 9;

/// Of tenant `$1` and campaign `$2` at the time `$3`, the next calls: `limit` or more of them.
pub(in crate::tdb) fn sql(limit: u32) -> String {
    let limit = limit
        .max(SHORTEST)
        .checked_next_power_of_two()
        .unwrap_or(limit);
    // Calls that came back keep their place among the others: by when they were accepted.
    let mut sql = format!(
        "SELECT calls.call_uuid, calls.attempt, calls.tenant_id, calls.campaign_name,
             calls.to_number, calls.from_number, calls.request, calls.priority, calls.created_ms,
             calls.expires_ms, calls.parent_uuid, calls.pinned_node, calls.pinned_incarnation
         FROM (
             SELECT * FROM (
                 SELECT call_uuid, priority, created_ms AS since FROM calls
                 WHERE state = 'queued' AND attempt > 1 AND tenant_id = $1 AND campaign_name = $2
                   AND not_before_ms <= $3 AND (expires_ms IS NULL OR expires_ms > $3)
                 ORDER BY priority DESC, created_ms, call_uuid LIMIT {limit}) AS retried"
    );
    for priority in 0..=HIGHEST {
        let added = write!(
            sql,
            " UNION ALL SELECT * FROM (
                 SELECT call_uuid, priority, not_before_ms AS since FROM calls
                 WHERE state = 'queued' AND attempt = 1 AND tenant_id = $1 AND campaign_name = $2
                   AND priority = {priority}
                   AND not_before_ms <= $3 AND (expires_ms IS NULL OR expires_ms > $3)
                 ORDER BY not_before_ms, call_uuid LIMIT {limit}) AS of_{priority}"
        );
        debug_assert!(added.is_ok(), "a string takes everything");
    }
    // CROSS: SQLite then looks the calls up one by one, in this order.
    sql + &format!(
        " ORDER BY priority DESC, since, call_uuid LIMIT {limit}) AS next
         CROSS JOIN calls WHERE calls.call_uuid = next.call_uuid
         ORDER BY next.priority DESC, next.since, next.call_uuid"
    )
}

//! Looks over the attempts that switches have or may have, and finds those in doubt: after a restart
//! of the gateway, after the loss of a switch, after a fault.

use super::settle::settle;
use super::shared::Shared;
use super::switches::Standing;
use crate::tdb::{OpenAttempt, TdbError};
use iradialer_core::call::CallState;
use std::sync::Arc;

/// How often open attempts are looked over.
const INTERVAL_MS: u64 = 2_000;

/// When open attempts were last looked over.
#[derive(Default)]
pub(super) struct Sweeper {
    looked_ms: Option<u64>,
}

impl Sweeper {
    /// Looks over the open attempts if it is time to.
    pub(super) async fn look(&mut self, shared: &Arc<Shared>, now_ms: u64) -> Result<(), TdbError> {
        let due = self
            .looked_ms
            .is_none_or(|looked_ms| now_ms.saturating_sub(looked_ms) >= INTERVAL_MS);
        if !due {
            return Ok(());
        }
        self.looked_ms = Some(now_ms);
        // Read before the attempts: one that is assigned in between is too young to be in doubt.
        let in_hand = shared.in_hand();
        for open in shared.app.tdb.open_attempts(None).await? {
            let ours = in_hand.contains_key(&open.assignment.call_uuid);
            if !ours
                && is_in_doubt(shared, &open, now_ms)
                && shared.begin_settling(open.assignment.attempt_id)
            {
                let settling = settle(Arc::clone(shared), open.assignment);
                shared.tasks.spawn(settling);
            }
        }
        Ok(())
    }
}

/// Whether the switch must be asked about the attempt, or may be lost with it. One that a live switch
/// has confirmed is not in doubt: the switch reports its end.
fn is_in_doubt(shared: &Shared, open: &OpenAttempt, now_ms: u64) -> bool {
    let attempt = &open.assignment;
    let standing = shared
        .switches()
        .standing(&attempt.node_id, &attempt.incarnation, now_ms);
    let router = &shared.app.config.router;
    match standing {
        Standing::Here => {
            let answered_by = open.assigned_ms + router.dispatch_timeout.as_millis() as u64;
            open.state == CallState::Assigned && now_ms > answered_by
        }
        Standing::Replaced { .. } => true,
        Standing::Silent { for_ms } => {
            open.state == CallState::Assigned
                || for_ms >= router.switch_unknown_after.as_millis() as u64
        }
    }
}

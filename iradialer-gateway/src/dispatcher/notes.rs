//! Notes what tries came to: while one transaction is on its way to the disk the next ones gather.

use super::{Done, FAULT_DELAY};
use crate::clock::Clock;
use crate::tdb::{Tdb, Tried};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// The most tries that are noted at once.
const AT_ONCE: usize = 128;

/// Notes tries until nobody has any more to note, and tells of each when that is done.
pub(super) async fn run(
    tdb: Tdb,
    clock: Clock,
    mut tries: mpsc::UnboundedReceiver<Tried>,
    tell: mpsc::UnboundedSender<Done>,
) {
    let mut some = Vec::with_capacity(AT_ONCE);
    while tries.recv_many(&mut some, AT_ONCE).await > 0 {
        note(&tdb, &clock, &some).await;
        for tried in some.drain(..) {
            let _ = tell.send(Done::Noted {
                call: tried.call_uuid,
                next_ms: tried.verdict.next_ms(),
            });
        }
    }
}

/// Notes them once the TDB can be written. What was not noted would be sent again.
async fn note(tdb: &Tdb, clock: &Clock, tries: &[Tried]) {
    let mut told = false;
    loop {
        match tdb.deliveries_tried(tries.to_vec(), clock.now_ms()).await {
            Ok(()) => return,
            Err(error) if error.is_outage() => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(%error, "webhooks that were answered can't be noted, trying again until they can");
                }
                sleep(FAULT_DELAY).await;
            }
            // One that can't be noted must not keep the others from it.
            Err(_) if tries.len() > 1 => {
                for tried in tries {
                    Box::pin(note(tdb, clock, std::slice::from_ref(tried))).await;
                }
                return;
            }
            Err(error) => {
                let (call, seq) = (tries[0].call_uuid, tries[0].seq);
                tracing::error!(%call, seq, %error, "a delivery could not be noted and will be made again");
                return sleep(FAULT_DELAY).await;
            }
        }
    }
}

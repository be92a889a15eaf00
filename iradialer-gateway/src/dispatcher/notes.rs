//! Notes what tries came to: while one transaction is on its way to the disk the next ones gather.

use super::{Done, FAULT_DELAY};
use crate::clock::Clock;
use crate::tdb::{Tdb, TdbError, Tried};
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
        let noted = tdb.deliveries_tried(some.clone(), clock.now_ms()).await;
        match noted {
            Ok(()) => {}
            // One that can't be noted must not keep the others from it.
            Err(error) if some.len() > 1 && !error.is_outage() => {
                for tried in &some {
                    let noted = tdb
                        .deliveries_tried(vec![tried.clone()], clock.now_ms())
                        .await;
                    if let Err(error) = noted {
                        lost(tried, &error);
                    }
                }
            }
            Err(error) => {
                some.iter().for_each(|tried| lost(tried, &error));
                sleep(FAULT_DELAY).await;
            }
        }
        for tried in some.drain(..) {
            let _ = tell.send(Done::Noted {
                call: tried.call_uuid,
                next_ms: tried.verdict.next_ms(),
            });
        }
    }
}

fn lost(tried: &Tried, error: &TdbError) {
    let (call, seq) = (tried.call_uuid, tried.seq);
    tracing::error!(%call, seq, %error, "a delivery could not be noted and will be made again");
}

//! Calls through the TDB, from the request to the last delivery.

mod attempt_rows;
mod attempts;
mod audit;
mod confirm;
mod deliveries;
mod dnc_list;
mod do_not_call;
mod events;
mod explain;
mod failover;
mod faults;
mod flows;
mod license_leases;
mod on_postgresql;
mod plans;
mod redial;
mod requests;
mod server;
mod start;
mod transfers;
mod trunks;

use super::test_support::{NOW, trunks};
use super::{Applied, OutOfOrder, Tdb};
use iradialer_core::wire::SwitchEvent;

async fn stored(tdb: &Tdb, event: SwitchEvent) -> Applied {
    tdb.apply_event(event, OutOfOrder::Hold, &trunks(&["chime"]), NOW)
        .await
        .unwrap()
}

//! Whether the switches are there and take calls.

use super::{Finding, Patient};
use iradialer_core::wire::{Heartbeat, SwitchState};

const CHECK: &str = "switches";
/// So many events that wait on a switch mean that the bus does not take them.
const MANY_EVENTS: u64 = 1_000;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let Some(heard) = &patient.heard else {
        return vec![Finding::skipped(CHECK, "NATS can't be listened to")];
    };
    let mut findings: Vec<Finding> = heard.iter().map(|heard| state(&heard.heartbeat)).collect();
    let is_heard = |node| heard.iter().any(|heard| heard.heartbeat.node_id == node);
    for node in &patient.catalogue.nodes {
        if !is_heard(node.node_id.clone()) {
            let found = format!("the switch {} is silent", node.node_id);
            let mend = format!(
                "on it: is FreeSWITCH up, does `fs_cli -x 'iradialer status'` answer, and are node-id \
                 \"{}\", cluster \"{}\" and nats-url right in iradialer.conf.xml?",
                node.node_id, patient.config.cluster
            );
            findings.push(Finding::fault(CHECK, found, mend));
        }
    }
    if heard.is_empty() && patient.catalogue.nodes.is_empty() {
        let found = "no switch is heard: nobody dials";
        let mend = "load mod_iradialer in FreeSWITCH (`load mod_iradialer` in fs_cli), with nats-url and \
            cluster in its iradialer.conf.xml as here";
        findings.push(Finding::fault(CHECK, found, mend));
    }
    findings
}

fn state(heartbeat: &Heartbeat) -> Finding {
    let node = &heartbeat.node_id;
    let (calls, most) = (heartbeat.calls, heartbeat.max_calls);
    match heartbeat.state {
        SwitchState::Draining | SwitchState::Leaving => {
            let found = format!("the switch {node} takes no new calls: it is drained");
            let mend = "`iradialer resume` in its fs_cli, once its maintenance is over";
            return Finding::warning(CHECK, found, mend);
        }
        SwitchState::Faulty => {
            let found = format!("the switch {node} takes no calls: its journal can't be written");
            let mend = "make room on the disk of its journal-dir, see that it is writable, then `iradialer \
                status` in its fs_cli";
            return Finding::fault(CHECK, found, mend);
        }
        SwitchState::Active => {}
    }
    if heartbeat.events_waiting > MANY_EVENTS {
        let found = format!(
            "{} events wait on the switch {node}",
            heartbeat.events_waiting
        );
        let mend = "see that JetStream takes them: its disk, and the rights of the switch's NATS user \
            (docs/nats.md)";
        return Finding::warning(CHECK, found, mend);
    }
    if heartbeat.version != env!("CARGO_PKG_VERSION") {
        let found = format!(
            "the switch {node} has mod_iradialer {}, this gateway is {}",
            heartbeat.version,
            env!("CARGO_PKG_VERSION")
        );
        return Finding::warning(CHECK, found, "install the same version on both");
    }
    let found = format!(
        "{node} takes calls: {calls} of {most}, FreeSWITCH {}",
        heartbeat.host
    );
    Finding::ok(CHECK, found)
}

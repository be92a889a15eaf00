//! The NATS subjects of a cluster. Each part is a validated name, so none can add a token or a wildcard.

use crate::value::{CallUuid, ClusterName, NodeId, TenantId};

/// Where the router sends dial commands to one life of one switch. A command that was held up in a
/// disconnect and arrives after a restart finds nobody listening.
pub fn dial(cluster: &ClusterName, node: &NodeId, incarnation: &CallUuid) -> String {
    format!("{cluster}.dialer.{node}.{incarnation}.dial")
}

/// Where the router asks one life of one switch what became of an attempt.
pub fn query(cluster: &ClusterName, node: &NodeId, incarnation: &CallUuid) -> String {
    format!("{cluster}.dialer.{node}.{incarnation}.query")
}

/// Where the router asks one life of one switch which attempts it holds.
pub fn held(cluster: &ClusterName, node: &NodeId, incarnation: &CallUuid) -> String {
    format!("{cluster}.dialer.{node}.{incarnation}.held")
}

/// Where a switch asks the collectors, a queue group of this name, which attempts they have wholly.
pub fn confirm(cluster: &ClusterName) -> String {
    format!("{cluster}.collector.confirm")
}

/// Where a switch asks the routers, a queue group of this name, for a flow.
pub fn flow(cluster: &ClusterName) -> String {
    format!("{cluster}.router.flow")
}

/// Where a switch asks the routers to dial somebody for a call that it holds. The switch is in the subject,
/// so that its user on NATS can be kept from asking for another's calls.
pub fn transfer(cluster: &ClusterName, node: &NodeId) -> String {
    format!("{cluster}.router.transfer.{node}")
}

/// What every switch asks of the routers.
pub fn all_transfers(cluster: &ClusterName) -> String {
    format!("{cluster}.router.transfer.*")
}

/// Where the published requests to the routers, a queue group, go.
pub fn router_request(cluster: &ClusterName) -> String {
    format!("{cluster}.router.request")
}

/// Where a switch asks how much of the licence it may use. The switch is in the subject, so that its user on
/// NATS can be kept from taking another's share.
pub fn lease(cluster: &ClusterName, node: &NodeId) -> String {
    format!("{cluster}.pass.lease.{node}")
}

/// What every switch asks of IraPass, a queue group.
pub fn all_leases(cluster: &ClusterName) -> String {
    format!("{cluster}.pass.lease.*")
}

/// Where the published `request_*` messages of a switch go.
pub fn switch_request(cluster: &ClusterName, node: &NodeId) -> String {
    format!("{cluster}.dialer.{node}.request")
}

/// What the subjects begin with that a live request may have copies of events sent to.
pub fn clients(cluster: &ClusterName) -> String {
    format!("{cluster}.client.")
}

/// Where a switch publishes the events of a call; the JetStream stream takes [`all_events`]. The switch
/// is in the subject, so that its user on NATS can be kept from reporting another's calls.
pub fn events(cluster: &ClusterName, node: &NodeId, tenant: &TenantId, call: &CallUuid) -> String {
    format!("{cluster}.events.{node}.{tenant}.{call}")
}

/// What a switch's inboxes begin with: answers to its own requests, which no other switch may read.
pub fn switch_inbox(cluster: &ClusterName, node: &NodeId) -> String {
    format!("{cluster}.inbox.{node}")
}

/// Every event of the cluster.
pub fn all_events(cluster: &ClusterName) -> String {
    format!("{cluster}.events.>")
}

/// The name of the JetStream stream that holds the events of a cluster.
pub fn event_stream(cluster: &ClusterName) -> String {
    format!("{cluster}_events")
}

/// Where a switch says each second that it lives.
pub fn switch_heartbeat(cluster: &ClusterName, node: &NodeId) -> String {
    format!("{cluster}.heartbeat.switch.{node}")
}

/// The heartbeats of every switch.
pub fn all_switch_heartbeats(cluster: &ClusterName) -> String {
    format!("{cluster}.heartbeat.switch.*")
}

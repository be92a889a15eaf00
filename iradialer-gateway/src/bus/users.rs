//! The users of a NATS server and what each may do.
//!
//! Every switch has a user of its own that can touch its own subjects only: one that was taken over
//! can neither dial on another, nor read its commands, nor report for it.

use iradialer_core::subject;
use iradialer_core::value::{ClusterName, NodeId};
use rand::distr::{Alphanumeric, SampleString};

/// The user of the gateway's processes.
pub const GATEWAY_USER: &str = "gateway";
/// The user of programs that ask the routers for things, and nothing else.
pub const CLIENT_USER: &str = "client";
/// How many characters a password has: of 62, so about 190 bits.
const PASSWORD_LEN: usize = 32;
/// How long a switch may take to answer a request.
const REPLY_WITHIN: &str = "1m";

/// The name of a switch's user. A node id has no dot, so it can't be the gateway's.
pub fn switch_user(node: &NodeId) -> String {
    format!("node.{node}")
}

/// A password nobody can guess.
pub fn fresh_password() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LEN)
}

/// The `authorization` block of a server's configuration. Passwords are given as they are to stand in
/// it: plain, or as bcrypt hashes.
pub fn authorization<'a>(
    cluster: &ClusterName,
    gateway_password: &str,
    client_password: &str,
    switches: impl IntoIterator<Item = (&'a NodeId, &'a str)>,
) -> String {
    let mut users = gateway_block(cluster, gateway_password);
    users += &client_block(cluster, client_password);
    for (node, password) in switches {
        users += &switch_block(cluster, node, password);
    }
    format!("authorization {{\n  users: [\n{users}  ]\n}}\n")
}

fn gateway_block(cluster: &ClusterName, password: &str) -> String {
    let all = list(&[
        format!("{cluster}.>"),
        "$JS.>".to_owned(),
        "_INBOX.>".to_owned(),
    ]);
    format!(
        "    {{ user: {user}, password: {password},\n      \
         permissions: {{ publish: {all}, subscribe: {all} }} }}\n",
        user = quoted(GATEWAY_USER),
        password = quoted(password),
    )
}

/// A program may ask the routers, and hear what goes to clients: answers, where it makes its inboxes there, and the
/// events that it asked for.
fn client_block(cluster: &ClusterName, password: &str) -> String {
    let publish = list(&[subject::router_request(cluster)]);
    let subscribe = list(&[format!("{}>", subject::clients(cluster))]);
    format!(
        "    {{ user: {user}, password: {password},\n      \
         permissions: {{ publish: {publish}, subscribe: {subscribe} }} }}\n",
        user = quoted(CLIENT_USER),
        password = quoted(password),
    )
}

/// What one switch may do. Nothing of JetStream's API: the acknowledgements of what it publishes come to
/// its inbox. It hears its own heartbeat, to notice a second switch of its name.
fn switch_block(cluster: &ClusterName, node: &NodeId, password: &str) -> String {
    let heartbeat = subject::switch_heartbeat(cluster, node);
    let publish = list(&[
        format!("{cluster}.events.{node}.>"),
        heartbeat.clone(),
        subject::confirm(cluster),
        subject::flow(cluster),
        subject::transfer(cluster, node),
        subject::lease(cluster, node),
        // Copies of events, for who asked for them in a live request.
        format!("{}>", subject::clients(cluster)),
    ]);
    let subscribe = list(&[
        format!("{cluster}.dialer.{node}.>"),
        format!("{}.>", subject::switch_inbox(cluster, node)),
        heartbeat,
    ]);
    format!(
        "    {{ user: {user}, password: {password},\n      \
         permissions: {{ publish: {publish}, subscribe: {subscribe},\n        \
         allow_responses: {{ max: 1, expires: \"{REPLY_WITHIN}\" }} }} }}\n",
        user = quoted(&switch_user(node)),
        password = quoted(password),
    )
}

fn list(subjects: &[String]) -> String {
    let quoted: Vec<String> = subjects.iter().map(|subject| quoted(subject)).collect();
    format!("[{}]", quoted.join(", "))
}

/// The server's configuration reads JSON's escapes in double quotes.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
pub(super) mod test_support;

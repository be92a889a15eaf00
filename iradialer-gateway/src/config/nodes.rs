//! `[[nodes]]`: the switches of the cluster.

use super::Config;
use super::file;
use super::mistake::Mistakes;
use iradialer_core::value::NodeId;

/// The switch of the development mode where no other is configured: the node-id of the
/// `iradialer.conf.xml` that is shipped.
const DEV_NODE: &str = "switch-1";

pub(super) fn check(nodes: &[file::Node], mistakes: &mut Mistakes) -> Vec<NodeId> {
    let mut checked = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let key = format!("nodes[{index}].node_id");
        let Some(node_id) = mistakes.take(NodeId::parse(&key, &node.node_id)) else {
            continue;
        };
        match checked.contains(&node_id) {
            true => mistakes.refuse(&key, "an id of its own", node_id.as_str()),
            false => checked.push(node_id),
        }
    }
    checked
}

impl Config {
    /// The switches that the development mode's `nats-server` has users for.
    pub fn dev_nodes(&self) -> Vec<NodeId> {
        match self.nodes.is_empty() {
            true => NodeId::parse("node_id", DEV_NODE).into_iter().collect(),
            false => self.nodes.clone(),
        }
    }
}

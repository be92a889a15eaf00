//! `[[nodes]]`: the switches of the cluster.

use super::Config;
use super::file;
use super::mistake::Mistakes;
use iradialer_core::value::{NodeId, RegionName};
use std::net::IpAddr;

/// The switch of the development mode where no other is configured: the node-id of the
/// `iradialer.conf.xml` that is shipped.
const DEV_NODE: &str = "switch-1";

/// The weight of a switch that the configuration gives none.
pub const USUAL_WEIGHT: u16 = 100;
/// The greatest weight.
const MOST_WEIGHT: u16 = 1_000;

/// A switch of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its node-id.
    pub node_id: NodeId,
    /// Its address, where requests on the bus name it by that.
    pub address: Option<IpAddr>,
    /// Its share of the calls beside the others', 0 to 1000; with 0 it is given none.
    pub weight: u16,
    /// The region whose calls it gets.
    pub region: RegionName,
}

pub(super) fn check(nodes: &[file::Node], mistakes: &mut Mistakes) -> Vec<Node> {
    let mut checked: Vec<Node> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let key = format!("nodes[{index}].node_id");
        let Some(node_id) = mistakes.take(NodeId::parse(&key, &node.node_id)) else {
            continue;
        };
        if checked.iter().any(|node| node.node_id == node_id) {
            mistakes.refuse(&key, "an id of its own", node_id.as_str());
            continue;
        }
        let key = format!("nodes[{index}].region");
        let Some(region) = mistakes.take(RegionName::parse(&key, &node.region)) else {
            continue;
        };
        let address = match node.address.as_str() {
            "" => None,
            text => {
                let parsed = text.parse().ok();
                if parsed.is_none() {
                    let key = format!("nodes[{index}].address");
                    mistakes.refuse(&key, "an IP address, or nothing", text);
                }
                parsed
            }
        };
        let weight = u16::try_from(node.weight).ok();
        match weight.filter(|weight| *weight <= MOST_WEIGHT) {
            Some(weight) => checked.push(Node {
                node_id,
                address,
                weight,
                region,
            }),
            None => {
                let key = format!("nodes[{index}].weight");
                mistakes.refuse(
                    &key,
                    &format!("0 to {MOST_WEIGHT}"),
                    &node.weight.to_string(),
                );
            }
        }
    }
    checked
}

impl Config {
    /// The ids of the switches that are configured.
    pub fn node_ids(&self) -> Vec<NodeId> {
        let ids = self.catalogue.nodes.iter().map(|node| node.node_id.clone());
        ids.collect()
    }

    /// The switches that the development mode's `nats-server` has users for.
    pub fn dev_nodes(&self) -> Vec<NodeId> {
        match self.catalogue.nodes.is_empty() {
            true => NodeId::parse("node_id", DEV_NODE).into_iter().collect(),
            false => self.node_ids(),
        }
    }
}

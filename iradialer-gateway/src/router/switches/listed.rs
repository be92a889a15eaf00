//! What the catalogue says of switches.

use crate::catalogue::{Catalogue, DEFAULT_REGION, NodeEntry, NodeWish};
use crate::config::{Node, USUAL_WEIGHT};
use iradialer_core::value::{CallUuid, NodeId, RegionName, TrunkName};
use std::collections::{BTreeMap, HashMap};

/// What the catalogue says of switches.
#[derive(Debug)]
pub(super) struct Listed {
    /// The weight of each that is listed; none where it is another region's.
    weights: HashMap<NodeId, Option<u16>>,
    /// The weight of any other.
    other: Option<u16>,
    /// What was asked of them.
    wishes: BTreeMap<NodeId, NodeEntry>,
    /// The trunks that not all of them have, and which do.
    trunks: HashMap<TrunkName, Vec<NodeId>>,
}

impl Listed {
    /// Where nothing is said of any.
    pub(super) fn nothing() -> Listed {
        Listed {
            weights: HashMap::new(),
            other: Some(USUAL_WEIGHT),
            wishes: BTreeMap::new(),
            trunks: HashMap::new(),
        }
    }

    /// Where calls are given to the switches of `region` only, with the weights of `nodes`.
    pub(super) fn of(region: &RegionName, nodes: &[Node]) -> Listed {
        let weight = |node: &Node| (node.region == *region).then_some(node.weight);
        let weights = nodes
            .iter()
            .map(|node| (node.node_id.clone(), weight(node)));
        Listed {
            weights: weights.collect(),
            other: (region.as_str() == DEFAULT_REGION).then_some(USUAL_WEIGHT),
            ..Listed::nothing()
        }
    }

    /// All that the catalogue says.
    pub(super) fn in_catalogue(catalogue: &Catalogue) -> Listed {
        let trunks = catalogue.trunks.values();
        let trunks = trunks.filter(|trunk| !trunk.nodes.is_empty());
        Listed {
            wishes: catalogue.entries.nodes.clone(),
            trunks: trunks
                .map(|trunk| (trunk.name.clone(), trunk.nodes.clone()))
                .collect(),
            ..Listed::of(&catalogue.region, &catalogue.nodes)
        }
    }

    /// The weight of a switch; none where it is another region's, and no concern of this router.
    pub(super) fn weight(&self, node: &NodeId) -> Option<u16> {
        self.weights.get(node).copied().unwrap_or(self.other)
    }

    /// Whether the switch has the trunk.
    pub(super) fn has(&self, node: &NodeId, trunk: &TrunkName) -> bool {
        let having = self.trunks.get(trunk);
        having.is_none_or(|having| having.contains(node))
    }

    /// Why that life of the switch gets no calls, if a person wants it so.
    pub(super) fn held(&self, node: &NodeId, incarnation: &CallUuid) -> Option<&'static str> {
        let entry = self.wishes.get(node)?;
        match entry.wish {
            NodeWish::Resume => None,
            NodeWish::Maintenance => Some("maintenance"),
            NodeWish::Disabled => Some("disabled"),
            NodeWish::Shutdown => {
                let of = entry.incarnation.as_deref();
                let is_of = of.is_none_or(|of| of == incarnation.to_string());
                is_of.then_some("shutdown")
            }
        }
    }
}

//! What is in the TDB of the catalogue.

use super::QueueParameters;
use super::campaign::CampaignDefinition;
use super::trunk::TrunkDefinition;
use iradialer_core::value::{CampaignName, NodeId, TenantId, TrunkName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of what an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A campaign of a tenant.
    Campaign,
    /// A trunk.
    Trunk,
    /// A switch.
    Node,
    /// The queue's parameters: there is one.
    Queue,
}

impl Kind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Campaign => "campaign",
            Kind::Trunk => "trunk",
            Kind::Node => "node",
            Kind::Queue => "queue",
        }
    }
}

/// A campaign that was added, or what is overridden of one of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CampaignEntry {
    /// Where it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<CampaignDefinition>,
    /// Instead of what the file or the definition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u32>,
    /// It was deleted then, ms since the Unix epoch, and only that is known of it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_ms: Option<u64>,
    /// When it was last changed, ms since the Unix epoch.
    pub changed_ms: u64,
}

/// A trunk that was added, or what is overridden of one of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrunkEntry {
    /// Where it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<TrunkDefinition>,
    /// Instead of what the file or the definition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cps: Option<f64>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u32>,
    /// When it was last changed, ms since the Unix epoch.
    pub changed_ms: u64,
}

/// What a person has asked of a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEntry {
    /// What.
    pub wish: NodeWish,
    /// Since when, ms since the Unix epoch.
    pub since_ms: u64,
    /// The life of its module that it was asked of, where that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<String>,
}

/// What a switch is to do, if not what it does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeWish {
    /// To take calls again: it may not know yet.
    Resume,
    /// To be drained, and again whenever it starts.
    Maintenance,
    /// It gets no calls; it is not told.
    Disabled,
    /// To be drained and ended; when it comes back it takes calls again.
    Shutdown,
}

/// Every entry there is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entries {
    /// Of campaigns.
    pub campaigns: BTreeMap<(TenantId, CampaignName), CampaignEntry>,
    /// Of trunks.
    pub trunks: BTreeMap<TrunkName, TrunkEntry>,
    /// Of switches.
    pub nodes: BTreeMap<NodeId, NodeEntry>,
    /// Of the queue.
    pub queue: QueueParameters,
    /// Entries that can't be read, in a sentence each: a later version has written them.
    pub unread: Vec<String>,
}

impl Entries {
    /// Takes in a row of the table.
    pub fn add(&mut self, kind: &str, tenant_id: &str, name: &str, body: &str) {
        if let Err(why) = self.try_add(kind, tenant_id, name, body) {
            self.unread
                .push(format!("{kind} {tenant_id}/{name}: {why}"));
        }
    }

    fn try_add(
        &mut self,
        kind: &str,
        tenant_id: &str,
        name: &str,
        body: &str,
    ) -> Result<(), Box<dyn std::error::Error>> {
        match kind {
            "campaign" => {
                let tenant = TenantId::parse("tenant_id", tenant_id)?;
                let key = (tenant, CampaignName::parse("name", name)?);
                self.campaigns.insert(key, serde_json::from_str(body)?);
            }
            "trunk" => {
                let name = TrunkName::parse("name", name)?;
                self.trunks.insert(name, serde_json::from_str(body)?);
            }
            "node" => {
                let node = NodeId::parse("node_id", name)?;
                self.nodes.insert(node, serde_json::from_str(body)?);
            }
            "queue" => self.queue = serde_json::from_str(body)?,
            _ => return Err("unknown kind".into()),
        }
        Ok(())
    }
}

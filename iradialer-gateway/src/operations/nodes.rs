//! Switches: what a person wants of them, and what is known of them.

use super::{Desk, Draft, Refusal, operator, text};
use crate::catalogue::{Catalogue, Kind, NodeEntry, NodeWish};
use crate::config::USUAL_WEIGHT;
use crate::tdb::{Change, HeardNode, SwitchView};
use iradialer_core::value::NodeId;
use iradialer_core::wire::SwitchState;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;
use utoipa::ToSchema;

/// What was noted of switches longer ago than this says nothing of them now, ms.
const STALE_MS: u64 = 15_000;

/// A switch, as far as anything is known of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(examples(json!(Node::example())))]
pub struct Node {
    /// Its address, where the configuration has it.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Calls that it holds.
    pub calls: Option<u32>,
    /// When it was last heard.
    #[schema(format = DateTime)]
    pub heard_at: Option<String>,
    /// What to do where it takes no calls.
    pub hint: Option<&'static str>,
    /// Its host's version.
    pub host: Option<String>,
    /// The life of its module.
    pub incarnation: Option<String>,
    /// The most calls that it holds.
    pub max_calls: Option<u32>,
    /// The most calls a second that it takes.
    pub max_cps: Option<f64>,
    #[schema(value_type = String)]
    pub node_id: NodeId,
    /// Why it takes no calls.
    pub reason: Option<String>,
    pub region: String,
    /// Whether it is in the configuration file.
    pub registered: bool,
    /// Calls that are being set up.
    pub setups: Option<u32>,
    /// `active`, `draining`, `drained`, `disabled`, `faulty`, `leaving` or `silent`.
    pub state: &'static str,
    /// `1/1`: it is there; `0/1`: it is not.
    pub up: &'static str,
    /// Since its module was loaded, s.
    pub uptime_s: Option<u64>,
    /// Its module's version.
    pub version: Option<String>,
    /// Its share of the calls beside the others'.
    pub weight: u16,
    /// What a person wants of it: `maintenance`, `disabled`, `shutdown`, or `resume` where it may not know yet.
    #[schema(value_type = Option<String>)]
    pub wish: Option<NodeWish>,
}

impl Node {
    /// One for an example.
    pub fn example() -> Node {
        Node {
            address: None,
            calls: Some(12),
            heard_at: Some("2026-11-21T10:00:00.000Z".to_owned()),
            hint: None,
            host: Some("1.10.12".to_owned()),
            incarnation: Some("01a1fc2f-bd5c-702b-b769-11f559dde487".to_owned()),
            max_calls: Some(500),
            max_cps: Some(30.0),
            node_id: NodeId::try_from("switch-1".to_owned())
                .unwrap_or_else(|_| unreachable!("a constant name")),
            reason: None,
            region: "default".to_owned(),
            registered: true,
            setups: Some(1),
            state: "active",
            up: "1/1",
            uptime_s: Some(86_400),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            weight: 100,
            wish: None,
        }
    }
}

impl Desk<'_> {
    /// Notes what a switch is to do; `incarnation` is its life now, where that is known.
    pub async fn wish(
        &self,
        node: &NodeId,
        wish: NodeWish,
        incarnation: Option<String>,
    ) -> Result<(), Refusal> {
        self.change(|catalogue| {
            let before = catalogue.entries.nodes.get(node);
            let entry = NodeEntry {
                wish,
                since_ms: self.now_ms,
                incarnation: incarnation.clone(),
            };
            Ok(Some(Draft {
                kind: Kind::Node,
                tenant_id: String::new(),
                name: node.to_string(),
                body: text(&entry),
                without_calls_of: None,
                noted: Some(Change {
                    tenant_id: operator(),
                    action: action(wish),
                    subject: node.to_string(),
                    was: before.map(|before| json!({"wish": before.wish})),
                    became: Some(json!({ "wish": wish })),
                    at_ms: self.now_ms,
                }),
            }))
        })
        .await
    }

    /// Forgets a wish that came true, unless there is another one by now.
    pub async fn forget_wish(&self, node: &NodeId, wish: &NodeEntry) -> Result<(), Refusal> {
        self.change(|catalogue| {
            if catalogue.entries.nodes.get(node) != Some(wish) {
                return Ok(None);
            }
            Ok(Some(Draft {
                kind: Kind::Node,
                tenant_id: String::new(),
                name: node.to_string(),
                body: None,
                without_calls_of: None,
                noted: None,
            }))
        })
        .await
    }
}

fn action(wish: NodeWish) -> &'static str {
    match wish {
        NodeWish::Resume => "node.resume",
        NodeWish::Maintenance => "node.maintenance",
        NodeWish::Disabled => "node.disable",
        NodeWish::Shutdown => "node.shutdown",
    }
}

/// Every switch that is in the configuration or was heard, by its name.
pub fn nodes(catalogue: &Catalogue, views: &[SwitchView], now_ms: u64) -> Vec<Node> {
    let mut heard: BTreeMap<NodeId, (HeardNode, bool)> = BTreeMap::new();
    for view in views {
        let is_stale = now_ms.saturating_sub(view.at_ms) > STALE_MS;
        for node in &view.nodes {
            // Of two regions that hear it, the one that noted it last.
            let known = heard.get(&node.node_id).map(|(known, _)| known.heard_ms);
            if known.is_none_or(|known_ms| known_ms < node.heard_ms) {
                heard.insert(node.node_id.clone(), (node.clone(), is_stale));
            }
        }
    }
    let listed = catalogue.nodes.iter().map(|node| node.node_id.clone());
    let wished = catalogue.entries.nodes.keys().cloned();
    let mut all: Vec<NodeId> = listed.chain(wished).chain(heard.keys().cloned()).collect();
    all.sort();
    all.dedup();
    all.into_iter()
        .map(|node| {
            let heard = heard.get(&node);
            shown(catalogue, node, heard.map(|(heard, stale)| (heard, *stale)))
        })
        .collect()
}

fn shown(catalogue: &Catalogue, node_id: NodeId, heard: Option<(&HeardNode, bool)>) -> Node {
    let listed = catalogue.nodes.iter().find(|node| node.node_id == node_id);
    let entry = catalogue.entries.nodes.get(&node_id);
    let now = heard.map(|(heard, _)| heard);
    let wish = entry.map(|entry| entry.wish).filter(|wish| match wish {
        // It has come back since.
        NodeWish::Shutdown => {
            let of = entry.and_then(|entry| entry.incarnation.as_deref());
            of.is_none() || now.is_none_or(|now| of == Some(now.incarnation.to_string().as_str()))
        }
        _ => true,
    });
    let (state, reason, hint) = judged(heard, wish);
    Node {
        address: listed.and_then(|node| node.address),
        calls: now.map(|now| now.calls),
        hint,
        host: now.map(|now| now.host.clone()),
        incarnation: now.map(|now| now.incarnation.to_string()),
        heard_at: now.map(|now| time(now.heard_ms)),
        max_calls: now.map(|now| now.max_calls),
        max_cps: now.map(|now| now.max_cps),
        reason,
        region: catalogue.switch_region(&node_id).to_owned(),
        registered: listed.is_some(),
        setups: now.map(|now| now.setups),
        state,
        up: match state {
            "silent" => "0/1",
            _ => "1/1",
        },
        uptime_s: now.map(|now| now.uptime_s),
        version: now.map(|now| now.version.clone()),
        weight: listed.map_or(USUAL_WEIGHT, |node| node.weight),
        wish,
        node_id,
    }
}

fn time(ms: u64) -> String {
    let time = i64::try_from(ms).ok();
    let time = time.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| ms.to_string(), |time| format!("{time:.3}"))
}

type Judged = (&'static str, Option<String>, Option<&'static str>);

fn judged(heard: Option<(&HeardNode, bool)>, wish: Option<NodeWish>) -> Judged {
    let because = |state, reason: &str, hint| (state, Some(reason.to_owned()), Some(hint));
    let start =
        "is FreeSWITCH up, and does `fs_cli -x 'iradialer status'` say that it is connected?";
    let Some((now, is_stale)) = heard else {
        return because("silent", "it was not heard since a router notes it", start);
    };
    if is_stale {
        let hint = "start a router of its region: nobody notes what it says";
        return because(
            "silent",
            "no router of its region notes what it hears",
            hint,
        );
    }
    if now.silent {
        return because("silent", "its heartbeats have stopped", start);
    }
    let is_empty = now.calls == 0;
    match (now.state, wish) {
        (SwitchState::Faulty, _) => {
            let hint = "look at `iradialer status` and the log of FreeSWITCH there";
            because("faulty", "it can't write its journal", hint)
        }
        (SwitchState::Leaving, _) => because("leaving", "its module is being unloaded", start),
        (SwitchState::Draining, Some(NodeWish::Shutdown)) if is_empty => {
            let hint =
                "it has no calls left: end it with `fs_cli -x 'fsctl shutdown elegant'` there";
            because("drained", "it is to be ended", hint)
        }
        (SwitchState::Draining, _) if is_empty => because(
            "drained",
            "it takes no calls, and has none",
            "resume it when it is to take calls",
        ),
        (SwitchState::Draining, _) => because(
            "draining",
            "it takes no more calls",
            "its calls go on to their end",
        ),
        (SwitchState::Active, Some(NodeWish::Disabled)) => because(
            "disabled",
            "a person has disabled it",
            "resume it when it is to get calls",
        ),
        (SwitchState::Active, Some(NodeWish::Maintenance | NodeWish::Shutdown)) => because(
            "draining",
            "it is being told to take no more calls",
            "a moment",
        ),
        (SwitchState::Active, Some(NodeWish::Resume) | None) => ("active", None, None),
    }
}

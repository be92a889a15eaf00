//! What each request does.

use super::super::shared::Shared;
use super::{Answered, desk, not_supported, refused};
use crate::catalogue::{
    CampaignDefinition, Catalogue, DEFAULT_REGION, Definition, NodeWish, NumberRange, PARAMS,
    Trunk, TrunkDefinition, USUAL_PROFILE, VARIABLES, is_profile,
};
use crate::operations::campaigns::CampaignPatch;
use crate::operations::nodes::{self, Node};
use crate::operations::trunks::TrunkPatch;
use crate::operations::{Refusal, queue};
use crate::tdb::SwitchView;
use crate::web::{Acceptance, checked_values};
use iradialer_core::router_request::{
    AddCampaign, AddGateway, GatewayAction, InstanceAction, InstanceKey, Instances, ManageCampaign,
    ManageGateway, RouterBody, RouterRequest, SetQueueParams,
};
use iradialer_core::value::{
    CallerNumber, CampaignName, FieldError, NodeId, RegionName, TenantId, TrunkName,
};
use iradialer_core::wire::DtmfWay;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// How many switches are told of.
const MOST: usize = 1_000;

/// Does what the request asks; `id` is the message's, where it has one.
pub(super) async fn act(
    shared: &Shared,
    acceptance: &Acceptance,
    request: RouterRequest,
    id: Option<String>,
) -> Answered {
    let tenant = request.tenant_id;
    let of = Of { shared, tenant, id };
    let done = match request.body {
        RouterBody::MakeCall(call) => return acceptance.make_call(*call, of.id).await.into(),
        RouterBody::AddCampaign(add) => of.add_campaign(add).await,
        RouterBody::ManageCampaign(manage) => of.manage_campaign(manage).await,
        RouterBody::DeleteCampaign(name) => of.delete_campaign(&name).await,
        RouterBody::AddGateway(add) => of.add_gateway(*add).await,
        RouterBody::ManageGateway(manage) => of.manage_gateway(manage).await,
        RouterBody::GatewayList(address) => of.gateways(&address).await,
        RouterBody::QueueSize => of.queue_size().await,
        RouterBody::GatewayQueueSize(campaign) => of.gateway_queue_size(campaign).await,
        RouterBody::QueueParams => of.queue_params().await,
        RouterBody::SetQueueParams(set) => of.set_queue_params(set).await,
        RouterBody::RemoveCalls(campaign) => of.remove_calls(campaign).await,
        RouterBody::Instances(instances) => of.instances(instances).await,
    };
    done.unwrap_or_else(|refusal| match refusal {
        No::Refusal(refusal) => refusal.into(),
        No::Answered(answered) => *answered,
    })
}

/// Why it was not done.
enum No {
    Refusal(Refusal),
    Answered(Box<Answered>),
}

impl<E: Into<Refusal>> From<E> for No {
    fn from(refusal: E) -> Self {
        No::Refusal(refusal.into())
    }
}

fn no(answered: Answered) -> No {
    No::Answered(Box::new(answered))
}

/// What a request is about.
struct Of<'o> {
    shared: &'o Shared,
    tenant: Option<TenantId>,
    id: Option<String>,
}

impl Of<'_> {
    /// The catalogue, this process having looked: another may have changed it for the same asker just now.
    async fn catalogue(&self) -> Result<std::sync::Arc<Catalogue>, No> {
        let app = &self.shared.app;
        Ok(app.catalogues.look(&app.tdb).await?)
    }

    /// The tenant's campaign of that name; where none is named, that of the only tenant that has one.
    async fn campaign(&self, field: &str, name: &str) -> Result<(TenantId, CampaignName), No> {
        let name = CampaignName::parse(field, name)?;
        if let Some(tenant) = &self.tenant {
            return Ok((tenant.clone(), name));
        }
        let catalogue = self.catalogue().await?;
        let owners = catalogue.campaigns.values().filter(|of| of.name == name);
        let owners: BTreeSet<_> = owners.map(|of| &of.tenant_id).collect();
        let mut owners = owners.into_iter();
        match (owners.next(), owners.next()) {
            (Some(only), None) => Ok((only.clone(), name)),
            (None, _) => {
                let message = format!("There is no campaign \"{name}\"");
                Err(Refusal::unknown("unknown_campaign", "name", message).into())
            }
            (Some(_), Some(_)) => {
                let expected = "whose it is: several tenants have a campaign of that name";
                Err(FieldError::missing("tenant_id", expected).into())
            }
        }
    }

    async fn add_campaign(&self, add: AddCampaign) -> Result<Answered, No> {
        let catalogue = self.catalogue().await?;
        let name = CampaignName::parse("name", &add.name)?;
        let tenants: BTreeSet<_> = catalogue
            .campaigns
            .keys()
            .map(|(tenant, _)| tenant)
            .collect();
        let tenant = match (&self.tenant, tenants.len()) {
            (Some(tenant), _) => tenant.clone(),
            (None, 1) => tenants
                .into_iter()
                .next()
                .cloned()
                .unwrap_or_else(|| unreachable!()),
            (None, _) => {
                let expected = "whose it is: there are campaigns of none, or of several tenants";
                return Err(FieldError::missing("tenant_id", expected).into());
            }
        };
        let mut definition = CampaignDefinition {
            region: region_of(&catalogue, &add)?,
            trunks: Vec::new(),
            from_number: CallerNumber::default(),
            caller_ranges: Vec::new(),
            event_url: None,
            flow: None,
            active: add.active.unwrap_or(true),
            max_calls: add.max_limit,
            hours: None,
            timezone: "UTC".to_owned(),
        };
        for (place, gateway) in add.gateways.iter().enumerate() {
            let field = format!("gateways[{place}]");
            let trunk = TrunkName::parse(&format!("{field}.name"), &gateway.name)?;
            let known = catalogue.trunks.get(&trunk);
            let prefix = known.and_then(|trunk| trunk.caller_ranges.first());
            let prefix = prefix.map_or("", |range| range.prefix.as_str());
            for (number, range) in gateway.did_range.iter().enumerate() {
                let field = format!("{field}.did_range[{number}]");
                let range = NumberRange::parse(&field, prefix, range)?;
                definition.caller_ranges.push(range);
            }
            definition.trunks.push(trunk);
        }
        let desk = desk(self.shared, self.id.clone());
        desk.put_campaign((&tenant, &name), definition, true)
            .await?;
        self.shared.app.wake.router.notify_one();
        let message = format!("the campaign {name} of {tenant} is added");
        Ok(Answered::ok(message))
    }

    async fn manage_campaign(&self, manage: ManageCampaign) -> Result<Answered, No> {
        let (tenant, name) = self.campaign("name", &manage.name).await?;
        let patch = CampaignPatch {
            active: manage.active,
            max_calls: manage.max_limit,
            may_raise: true,
        };
        let desk = desk(self.shared, self.id.clone());
        desk.patch_campaign((&tenant, &name), patch).await?;
        self.shared.app.wake.router.notify_one();
        Ok(Answered::ok(format!("the campaign {name} is changed")))
    }

    async fn delete_campaign(&self, name: &str) -> Result<Answered, No> {
        let (tenant, name) = self.campaign("name", name).await?;
        let desk = desk(self.shared, self.id.clone());
        desk.delete_campaign((&tenant, &name), false).await?;
        Ok(Answered::ok(format!("the campaign {name} is deleted")))
    }

    async fn add_gateway(&self, add: AddGateway) -> Result<Answered, No> {
        for (field, value) in [
            ("disable_after", add.disable_after),
            ("hop_count", add.hop_count),
        ] {
            if let Some(value) = value.filter(|value| *value != 0) {
                let expected = "0 or nothing: a trunk's breaker judges by what its carrier answers, and hops are \
                                the SIP profile's";
                return Err(no(not_supported(field, expected, &value.to_string())));
            }
        }
        let catalogue = self.catalogue().await?;
        let name = TrunkName::parse("name", &add.name)?;
        let mut mistakes = Vec::new();
        let prefix = add.did_prefix.as_deref().unwrap_or("");
        let prefix = NumberRange::parse_prefix("did_prefix", prefix)?;
        let mut caller_ranges = Vec::new();
        for (place, range) in add.did_range.iter().enumerate() {
            let field = format!("did_range[{place}]");
            caller_ranges.push(NumberRange::parse(&field, &prefix, range)?);
        }
        let mut nodes = Vec::new();
        for (place, address) in add.dialer_ip_list.iter().enumerate() {
            match node_at(&catalogue, address) {
                Some(node) => nodes.push(node),
                None => mistakes.push(FieldError::new(
                    format!("dialer_ip_list[{place}]"),
                    "the address or node-id of one of [[nodes]]; an empty list is all switches",
                    address,
                )),
            }
        }
        let sip_profile = add.sip_profile.unwrap_or_else(|| USUAL_PROFILE.to_owned());
        if !is_profile(&sip_profile) {
            let expected = "letters, digits, '_' or '-'";
            mistakes.push(FieldError::new("sip_profile", expected, &sip_profile));
        }
        let params = checked_values("params", add.params, &PARAMS, |it| mistakes.push(it));
        let variables = checked_values("variables", add.variables, &VARIABLES, |it| {
            mistakes.push(it)
        });
        if !mistakes.is_empty() {
            return Err(Refusal::Fields(mistakes).into());
        }
        let definition = TrunkDefinition {
            enabled: add.enable,
            max_cps: f64::from(add.cps),
            max_calls: add.capacity,
            dtmf: DtmfWay::default(),
            caller_ranges,
            nodes,
            gateway: Definition {
                sip_profile,
                params,
                variables,
            },
        };
        let xml = definition.gateway.to_xml(&name);
        let desk = desk(self.shared, self.id.clone());
        desk.put_trunk(&name, definition, true).await?;
        self.shared.app.wake.router.notify_one();
        let message = format!(
            "the trunk {name} is added; each of its switches needs gateway_definition as a file of its SIP profile"
        );
        Ok(Answered::ok(message).with(json!({ "gateway_definition": xml })))
    }

    async fn manage_gateway(&self, manage: ManageGateway) -> Result<Answered, No> {
        if let Some(hops) = manage.hop_count.filter(|hops| *hops != 0) {
            let expected = "0 or nothing: hops are the SIP profile's";
            return Err(no(not_supported("hop_count", expected, &hops.to_string())));
        }
        let name = TrunkName::parse("name", &manage.name)?;
        let catalogue = self.catalogue().await?;
        let trunk = catalogue.trunks.get(&name);
        let definition = trunk.and_then(|trunk| trunk.definition.as_ref());
        if let (Some(asked), Some(definition)) = (&manage.sip_profile, definition)
            && *asked != definition.sip_profile
        {
            let expected = format!(
                "{}, which it belongs to, or nothing",
                definition.sip_profile
            );
            return Err(FieldError::new("sip_profile", expected, asked).into());
        }
        let desk = desk(self.shared, self.id.clone());
        let patch = |enabled, max_calls| TrunkPatch {
            enabled,
            max_cps: None,
            max_calls,
        };
        let done = match manage.action {
            GatewayAction::Delete => {
                desk.delete_trunk(&name).await?;
                "deleted; its file is still on the switches"
            }
            GatewayAction::Enable => {
                desk.patch_trunk(&name, patch(Some(true), None)).await?;
                "enabled"
            }
            GatewayAction::Disable => {
                desk.patch_trunk(&name, patch(Some(false), None)).await?;
                "disabled"
            }
            GatewayAction::Resize => {
                desk.patch_trunk(&name, patch(None, manage.new_size))
                    .await?;
                "resized"
            }
            GatewayAction::Clear => {
                desk.clear_trunk(&name).await?;
                "taken for new: what its carrier has shown is forgotten"
            }
        };
        self.shared.app.wake.router.notify_one();
        Ok(Answered::ok(format!("the trunk {name} is {done}")))
    }

    async fn gateways(&self, address: &str) -> Result<Answered, No> {
        let catalogue = self.catalogue().await?;
        let Some(node) = node_at(&catalogue, address) else {
            let message = format!("No switch of [[nodes]] has the address or node-id {address}");
            return Err(Refusal::unknown("unknown_node", "dialer_ip", message).into());
        };
        let live = self.shared.app.tdb.live_counts().await?.by_trunk;
        let trunks = catalogue.trunks.values().filter(|trunk| trunk.is_on(&node));
        let show = |trunk: &Trunk| {
            let definition = trunk.definition.as_ref();
            json!({
                "name": trunk.name,
                "sip_profile": definition.map(|of| &of.sip_profile),
                "enable": trunk.enabled,
                "capacity": trunk.max_calls,
                "cps": trunk.max_cps,
                "live_calls": live.get(&trunk.name).copied().unwrap_or(0),
                "params": definition.map(Definition::shown_params),
                "variables": definition.map(|of| &of.variables),
                "did_range": trunk.caller_ranges.iter().map(NumberRange::shown).collect::<Vec<_>>(),
            })
        };
        let gateways: Vec<Value> = trunks.map(show).collect();
        let message = format!("{} trunks", gateways.len());
        Ok(Answered::ok(message).with(json!({ "node_id": node, "gateways": gateways })))
    }

    async fn queue_size(&self) -> Result<Answered, No> {
        let catalogue = self.catalogue().await?;
        let sizes = queue::sizes(&self.shared.app.tdb, &catalogue, self.tenant.as_ref()).await?;
        let data = json!({
            "queue_size": sizes.size,
            "max_total_queue_size": catalogue.queue.refuse_above,
        });
        Ok(Answered::ok(format!("{} calls are queued", sizes.size)).with(data))
    }

    async fn gateway_queue_size(&self, campaign: Option<String>) -> Result<Answered, No> {
        let catalogue = self.catalogue().await?;
        let mut sizes =
            queue::sizes(&self.shared.app.tdb, &catalogue, self.tenant.as_ref()).await?;
        if let Some(campaign) = &campaign {
            sizes.campaigns.retain(|of| of.campaign_name == *campaign);
            sizes.size = sizes.campaigns.iter().map(|of| of.size).sum();
            sizes.trunks.retain_mut(|of| {
                let through = sizes.campaigns.iter();
                let through = through.filter(|campaign| campaign.trunks.contains(&of.trunk));
                of.size = through.map(|campaign| campaign.size).sum();
                of.size > 0
            });
        }
        let gateways = sizes.trunks.iter();
        let gateways: Vec<Value> = gateways
            .map(|of| json!({"name": of.trunk, "queue_size": of.size}))
            .collect();
        let data = json!({
            "queue_size": sizes.size, "gateways": gateways, "campaigns": sizes.campaigns,
        });
        Ok(Answered::ok(format!("{} calls are queued", sizes.size)).with(data))
    }

    async fn queue_params(&self) -> Result<Answered, No> {
        let catalogue = self.catalogue().await?;
        let params = queue::shown(&catalogue);
        Ok(Answered::ok("the queue's parameters").with(json!({ "queue_params": params })))
    }

    async fn set_queue_params(&self, set: SetQueueParams) -> Result<Answered, No> {
        let given = queue::parameters(set)?;
        let desk = desk(self.shared, self.id.clone());
        desk.set_queue(given).await?;
        self.shared.app.wake.router.notify_one();
        let catalogue = self.catalogue().await?;
        let data = json!({ "queue_params": queue::shown(&catalogue) });
        Ok(Answered::ok("the queue's parameters are changed").with(data))
    }

    async fn remove_calls(&self, campaign: Option<String>) -> Result<Answered, No> {
        let desk = desk(self.shared, self.id.clone());
        let (mut removed, mut more) = (0, false);
        match &campaign {
            Some(name) => {
                let (tenant, name) = self.campaign("campaign", name).await?;
                (removed, more) = desk.cancel_queued(&tenant, Some(&name)).await?;
            }
            None => {
                let counts = self
                    .shared
                    .app
                    .tdb
                    .queue_counts(self.tenant.as_ref())
                    .await?;
                let tenants: BTreeSet<_> = counts.into_iter().map(|(tenant, ..)| tenant).collect();
                for tenant in tenants {
                    let (of_tenant, rest) = desk.cancel_queued(&tenant, None).await?;
                    removed += of_tenant;
                    more |= rest;
                }
            }
        }
        self.shared.app.wake.dispatcher.notify_one();
        let data = json!({ "removed": removed, "more": more });
        Ok(Answered::ok(format!("{removed} calls are canceled")).with(data))
    }

    async fn instances(&self, of: Instances) -> Result<Answered, No> {
        let app = &self.shared.app;
        let password = app.config.router.instance_password.reveal();
        if password.is_empty() {
            let message =
                "router.instance_password is not set: requests about instances are refused";
            return Err(no(refused(
                "not_supported",
                None,
                message.to_owned(),
                false,
            )));
        }
        // Their hashes: how long it takes says nothing of the password.
        if Sha256::digest(&of.password) != Sha256::digest(password) {
            let message = "The password is wrong".to_owned();
            return Err(no(refused("forbidden", Some("password"), message, false)));
        }
        let catalogue = self.catalogue().await?;
        let mut views = app.tdb.switch_views().await?;
        // What this router hears itself is later than what any has noted.
        views.push(SwitchView {
            region: catalogue.region.to_string(),
            at_ms: self.shared.now_ms(),
            switches: Value::Null,
            nodes: self.shared.switches().heard(MOST, self.shared.moment()),
        });
        let nodes = nodes::nodes(&catalogue, &views, self.shared.now_ms());
        let is_meant = |node: &Node| match of.key {
            InstanceKey::Any => true,
            InstanceKey::PodId | InstanceKey::MachineId => node.node_id.as_str() == of.key_data,
            InstanceKey::IpAddress => {
                let address = node.address.map(|address| address.to_string());
                address.as_deref() == Some(of.key_data.as_str())
            }
        };
        let meant: Vec<Node> = nodes.into_iter().filter(is_meant).collect();
        if meant.is_empty() {
            let message = format!("There is no such switch: {}", of.key_data);
            return Err(Refusal::unknown("unknown_node", "key_data", message).into());
        }
        let wish = match of.action {
            InstanceAction::Data => {
                let message = format!("{} switches", meant.len());
                return Ok(Answered::ok(message).with(json!({ "instances": meant })));
            }
            InstanceAction::Activate => NodeWish::Resume,
            InstanceAction::Deactivate => NodeWish::Maintenance,
        };
        let desk = desk(self.shared, self.id.clone());
        let mut told = Vec::new();
        for node in &meant {
            desk.wish(&node.node_id, wish, node.incarnation.clone())
                .await?;
            let takes_calls = wish == NodeWish::Resume;
            let answer = app
                .switches
                .activate(node.node_id.clone(), takes_calls)
                .await;
            told.push(json!({"node_id": node.node_id, "told": answer.is_ok()}));
        }
        let message = "one that was not told is told when it is heard again";
        Ok(Answered::ok(message).with(json!({ "instances": told })))
    }
}

/// The region whose campaigns use its trunks already; else the usual one.
fn region_of(catalogue: &Catalogue, add: &AddCampaign) -> Result<RegionName, No> {
    let trunks = add.gateways.iter();
    let mut trunks = trunks.filter_map(|of| TrunkName::parse("name", &of.name).ok());
    let region = trunks.find_map(|trunk| catalogue.trunk_region(&trunk).cloned());
    match region {
        Some(region) => Ok(region),
        None => Ok(RegionName::parse("region", DEFAULT_REGION)?),
    }
}

/// The switch with that address or node-id.
fn node_at(catalogue: &Catalogue, text: &str) -> Option<NodeId> {
    let address = text.parse().ok();
    let node = catalogue.nodes.iter().find(|node| {
        node.node_id.as_str() == text || (address.is_some() && node.address == address)
    });
    node.map(|node| node.node_id.clone())
}

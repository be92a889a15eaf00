//! `trunk list`, `show`, `add`, `set`, `enable`, `disable`, `remove`

use super::site::Site;
use super::{Common, Failure};
use crate::catalogue::{
    Definition, NumberRange, PARAMS, Source, Trunk, TrunkDefinition, USUAL_PROFILE, VARIABLES,
    is_profile, is_value,
};
use crate::operations::trunks::{MAX_CPS, TrunkPatch};
use crate::tdb::LiveCounts;
use crate::trunk::{Gate, TrunkState};
use clap::{Args, Subcommand};
use iradialer_core::value::{FieldError, NodeId, TrunkName};
use iradialer_core::wire::DtmfWay;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

#[derive(Subcommand)]
pub(super) enum TrunkCommand {
    /// Lists the trunks of the configuration file and those that were added.
    List {
        #[command(flatten)]
        common: Common,
        /// As JSON, an object in each line.
        #[arg(long)]
        json: bool,
    },
    /// Shows one.
    Show {
        #[command(flatten)]
        of: Of,
        /// As JSON.
        #[arg(long, conflicts_with = "xml")]
        json: bool,
        /// The file that each switch needs of it, among the gateways of its SIP profile; with its password.
        #[arg(long)]
        xml: bool,
    },
    /// Adds one.
    Add {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        asked: Box<Asked>,
    },
    /// Changes its limits, also of one in the configuration file.
    Set {
        #[command(flatten)]
        of: Of,
        /// Calls a second.
        #[arg(long, required_unless_present = "max_calls")]
        max_cps: Option<f64>,
        /// Calls at once.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        max_calls: Option<u32>,
    },
    /// Lets calls through it.
    Enable {
        #[command(flatten)]
        of: Of,
    },
    /// Lets no new call through it; those on it go on.
    Disable {
        #[command(flatten)]
        of: Of,
    },
    /// Takes one away that was added and that no campaign uses.
    Remove {
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Args)]
pub(super) struct Of {
    #[command(flatten)]
    common: Common,
    /// Its name: that of FreeSWITCH's gateway.
    name: String,
}

/// What a trunk is to be.
#[derive(Args)]
pub(super) struct Asked {
    /// Calls a second.
    #[arg(long)]
    max_cps: f64,
    /// Calls at once.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_calls: u32,
    /// How keys come: rfc4733, info or inband.
    #[arg(long, default_value = "rfc4733")]
    dtmf: String,
    /// Lets no calls through it before it is enabled.
    #[arg(long)]
    disabled: bool,
    /// Numbers that its calls may show, such as 15005550100-15005550199; may be given several times.
    #[arg(long = "caller-range", value_name = "FIRST-LAST")]
    caller_ranges: Vec<String>,
    /// A switch that has it; may be given several times. Without it any.
    #[arg(long = "node", value_name = "NAME")]
    nodes: Vec<String>,
    /// The SIP profile of its gateway.
    #[arg(long, default_value = USUAL_PROFILE)]
    profile: String,
    /// A parameter of its gateway, such as proxy=sip.example.net; may be given several times.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// A variable of its channels; may be given several times.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    variables: Vec<String>,
}

pub(super) fn run(command: TrunkCommand) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match command {
                TrunkCommand::List { common, json } => list(common, json).await,
                TrunkCommand::Show { of, json, xml } => show(of, json, xml).await,
                TrunkCommand::Add { of, asked } => add(of, *asked).await,
                TrunkCommand::Set {
                    of,
                    max_cps,
                    max_calls,
                } => {
                    let max_cps = max_cps.map(cps).transpose()?;
                    let patch = TrunkPatch {
                        max_cps,
                        max_calls,
                        ..TrunkPatch::default()
                    };
                    change(of, patch, "is changed").await
                }
                TrunkCommand::Enable { of } => change(of, enabled(true), "is enabled").await,
                TrunkCommand::Disable { of } => change(of, enabled(false), "is disabled").await,
                TrunkCommand::Remove { of } => remove(of).await,
            }
        })
}

fn enabled(enabled: bool) -> TrunkPatch {
    TrunkPatch {
        enabled: Some(enabled),
        ..TrunkPatch::default()
    }
}

/// What is looked at of all of them.
struct Figures {
    states: HashMap<TrunkName, TrunkState>,
    live: LiveCounts,
    now_ms: u64,
}

impl Figures {
    async fn of(site: &Site) -> Result<Self, Failure> {
        Ok(Figures {
            states: site.tdb.trunk_states().await?,
            live: site.tdb.live_counts().await?,
            now_ms: site.now_ms,
        })
    }

    fn takes(&self, trunk: &Trunk) -> &'static str {
        let known = self.states.get(&trunk.name).cloned().unwrap_or_default();
        match (trunk.enabled, known.gate(self.now_ms)) {
            (false, _) => "disabled",
            (true, Gate::Open) => "calls",
            (true, Gate::Probe) => "one probe",
            (true, Gate::Shut(_, why)) => why.as_str(),
        }
    }

    fn live(&self, trunk: &Trunk) -> u32 {
        self.live.by_trunk.get(&trunk.name).copied().unwrap_or(0)
    }

    fn json(&self, trunk: &Trunk, users: &[String]) -> Value {
        let definition = trunk.definition.as_ref();
        json!({
            "name": trunk.name,
            "enabled": trunk.enabled,
            "takes": self.takes(trunk),
            "max_cps": trunk.max_cps,
            "max_calls": trunk.max_calls,
            "live_calls": self.live(trunk),
            "source": trunk.source,
            "dtmf": trunk.dtmf,
            "caller_ranges": trunk.caller_ranges.iter().map(NumberRange::shown).collect::<Vec<_>>(),
            "nodes": trunk.nodes,
            "sip_profile": definition.map(|of| &of.sip_profile),
            "params": definition.map(Definition::shown_params),
            "variables": definition.map(|of| &of.variables),
            "campaigns": users,
        })
    }
}

fn users(site: &Site, trunk: &Trunk) -> Vec<String> {
    let users = site.catalogue.users_of(&trunk.name);
    users
        .map(|user| format!("{}/{}", user.tenant_id, user.name))
        .collect()
}

async fn list(common: Common, json: bool) -> Result<(), Failure> {
    let site = Site::open(common).await?;
    let figures = Figures::of(&site).await?;
    if !json {
        println!(
            "{:<20}  {:<10}  {:>8}  {:>9}  {:>5}  {:<6}  CAMPAIGNS",
            "TRUNK", "TAKES", "CALLS/S", "MAX CALLS", "CALLS", "FROM"
        );
    }
    for trunk in site.catalogue.trunks.values() {
        let users = users(&site, trunk);
        match json {
            true => println!("{}", figures.json(trunk, &users)),
            false => println!(
                "{:<20}  {:<10}  {:>8}  {:>9}  {:>5}  {:<6}  {}",
                trunk.name,
                figures.takes(trunk),
                trunk.max_cps,
                trunk.max_calls,
                figures.live(trunk),
                source(trunk.source),
                users.join(", ")
            ),
        }
    }
    site.close().await;
    Ok(())
}

fn source(source: Source) -> &'static str {
    match source {
        Source::File => "file",
        Source::Added => "added",
    }
}

async fn show(of: Of, json: bool, xml: bool) -> Result<(), Failure> {
    let name = TrunkName::parse("NAME", &of.name)?;
    let site = Site::open(of.common).await?;
    let figures = Figures::of(&site).await?;
    let Some(trunk) = site.catalogue.trunks.get(&name) else {
        return Err(format!("there is no trunk {name}").into());
    };
    let shown = figures.json(trunk, &users(&site, trunk));
    match (&trunk.definition, xml, json) {
        (Some(definition), true, _) => print!("{}", definition.to_xml(&name)),
        (None, true, _) => {
            let why = "is in the configuration file: its gateway was not defined here";
            return Err(format!("the trunk {name} {why}").into());
        }
        (_, false, true) => println!("{shown}"),
        (_, false, false) => {
            for (name, value) in shown.as_object().into_iter().flatten() {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                println!("{name:<14}  {text}");
            }
        }
    }
    site.close().await;
    Ok(())
}

async fn add(of: Of, asked: Asked) -> Result<(), Failure> {
    let name = TrunkName::parse("NAME", &of.name)?;
    let definition = asked.check()?;
    let site = Site::open(of.common).await?;
    site.desk().put_trunk(&name, definition, true).await?;
    site.close().await;
    println!(
        "the trunk {name} is added: `trunk show {name} --xml` is the file that each of its switches needs"
    );
    Ok(())
}

impl Asked {
    fn check(self) -> Result<TrunkDefinition, FieldError> {
        let dtmf = match self.dtmf.as_str() {
            "rfc4733" => DtmfWay::Rfc4733,
            "info" => DtmfWay::Info,
            "inband" => DtmfWay::Inband,
            other => return Err(FieldError::new("--dtmf", "rfc4733, info or inband", other)),
        };
        if !is_profile(&self.profile) {
            let expected = "2 to 30 letters, digits, '_' or '-'";
            return Err(FieldError::new("--profile", expected, &self.profile));
        }
        let ranges = self.caller_ranges.iter();
        let ranges = ranges.map(|range| NumberRange::parse_long("--caller-range", range));
        let nodes = self.nodes.iter().map(|node| NodeId::parse("--node", node));
        Ok(TrunkDefinition {
            enabled: !self.disabled,
            max_cps: cps(self.max_cps)?,
            max_calls: self.max_calls,
            dtmf,
            caller_ranges: ranges.collect::<Result<_, _>>()?,
            nodes: nodes.collect::<Result<_, _>>()?,
            gateway: Definition {
                sip_profile: self.profile,
                params: pairs("--param", &self.params, &PARAMS)?,
                variables: pairs("--variable", &self.variables, &VARIABLES)?,
            },
        })
    }
}

fn cps(cps: f64) -> Result<f64, FieldError> {
    match cps > 0.0 && cps <= MAX_CPS {
        true => Ok(cps),
        false => {
            let expected = "calls a second, above 0, up to 1000";
            Err(FieldError::new("--max-cps", expected, &cps.to_string()))
        }
    }
}

/// `NAME=VALUE`, the names among `known`. Values are not shown: one may be a password.
fn pairs(
    option: &str,
    given: &[String],
    known: &[&str],
) -> Result<BTreeMap<String, String>, FieldError> {
    let mut pairs = BTreeMap::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(FieldError::new(option, "NAME=VALUE", "a text without '='"));
        };
        if !known.contains(&name) {
            let expected = format!("one of {}", known.join(", "));
            return Err(FieldError::new(option, expected, name));
        }
        if !is_value(value) {
            let expected =
                format!("up to 255 characters for {name}, none of them a control character");
            return Err(FieldError::new(option, expected, "another text"));
        }
        pairs.insert(name.to_owned(), value.to_owned());
    }
    Ok(pairs)
}

async fn change(of: Of, patch: TrunkPatch, done: &str) -> Result<(), Failure> {
    let name = TrunkName::parse("NAME", &of.name)?;
    let site = Site::open(of.common).await?;
    site.desk().patch_trunk(&name, patch).await?;
    site.close().await;
    println!("the trunk {name} {done}");
    Ok(())
}

async fn remove(of: Of) -> Result<(), Failure> {
    let name = TrunkName::parse("NAME", &of.name)?;
    let site = Site::open(of.common).await?;
    site.desk().delete_trunk(&name).await?;
    site.close().await;
    println!("the trunk {name} is removed; its file is still on the switches");
    Ok(())
}

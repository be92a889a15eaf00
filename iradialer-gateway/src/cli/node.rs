//! `node list`, `show`, `maintenance`, `resume`, `disable`, `shutdown`

use super::site::Site;
use super::{Common, Failure};
use crate::catalogue::NodeWish;
use crate::operations::nodes::{self, Node};
use clap::{Args, Subcommand};
use iradialer_core::value::NodeId;
use serde_json::json;

#[derive(Subcommand)]
pub(super) enum NodeCommand {
    /// Lists the switches that are configured or were heard.
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
        #[arg(long)]
        json: bool,
    },
    /// Has it take no more calls, also after a restart; those it has go on to their end.
    Maintenance {
        #[command(flatten)]
        of: Of,
    },
    /// Has it take calls again.
    Resume {
        #[command(flatten)]
        of: Of,
    },
    /// Gives it no more calls, without a word to it.
    Disable {
        #[command(flatten)]
        of: Of,
    },
    /// Has it drained, to be ended then by a person; once it is back it takes calls again.
    Shutdown {
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Args)]
pub(super) struct Of {
    #[command(flatten)]
    common: Common,
    /// Its node-id.
    node_id: String,
}

pub(super) fn run(command: NodeCommand) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match command {
                NodeCommand::List { common, json } => list(common, json).await,
                NodeCommand::Show { of, json } => show(of, json).await,
                NodeCommand::Maintenance { of } => {
                    let done = "takes no more calls, also after a restart";
                    wish(of, NodeWish::Maintenance, done).await
                }
                NodeCommand::Resume { of } => wish(of, NodeWish::Resume, "takes calls").await,
                NodeCommand::Disable { of } => {
                    wish(of, NodeWish::Disabled, "is given no more calls").await
                }
                NodeCommand::Shutdown { of } => {
                    let done = "takes no more calls; when `node show` says drained, end it with `fs_cli -x 'fsctl \
                                shutdown elegant'` there";
                    wish(of, NodeWish::Shutdown, done).await
                }
            }
        })
}

async fn all(site: &Site) -> Result<Vec<Node>, Failure> {
    let views = site.tdb.switch_views().await?;
    Ok(nodes::nodes(&site.catalogue, &views, site.now_ms))
}

async fn find(site: &Site, node_id: &NodeId) -> Result<Node, Failure> {
    let nodes = all(site).await?;
    let found = nodes.into_iter().find(|node| node.node_id == *node_id);
    found.ok_or_else(|| {
        format!("there is no switch {node_id}: none is configured or was heard").into()
    })
}

async fn list(common: Common, json: bool) -> Result<(), Failure> {
    let site = Site::open(common).await?;
    let nodes = all(&site).await?;
    site.close().await;
    if !json {
        println!(
            "{:<20}  {:<3}  {:<9}  {:<12}  {:>11}  {:<12}  REASON",
            "SWITCH", "UP", "STATE", "REGION", "CALLS", "VERSION"
        );
    }
    for node in &nodes {
        if json {
            println!("{}", json!(node));
            continue;
        }
        let calls = node.calls.zip(node.max_calls);
        println!(
            "{:<20}  {:<3}  {:<9}  {:<12}  {:>11}  {:<12}  {}",
            node.node_id,
            node.up,
            node.state,
            node.region,
            calls.map_or_else(
                || "-".to_owned(),
                |(calls, most)| format!("{calls} of {most}")
            ),
            node.version.as_deref().unwrap_or("-"),
            node.reason.as_deref().unwrap_or("")
        );
    }
    Ok(())
}

async fn show(of: Of, as_json: bool) -> Result<(), Failure> {
    let node_id = NodeId::parse("NODE_ID", &of.node_id)?;
    let site = Site::open(of.common).await?;
    let node = find(&site, &node_id).await;
    site.close().await;
    let node = json!(node?);
    if as_json {
        println!("{node}");
        return Ok(());
    }
    for (name, value) in node.as_object().into_iter().flatten() {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        println!("{name:<12}  {text}");
    }
    Ok(())
}

async fn wish(of: Of, wish: NodeWish, done: &str) -> Result<(), Failure> {
    let node_id = NodeId::parse("NODE_ID", &of.node_id)?;
    let site = Site::open(of.common).await?;
    let node = find(&site, &node_id).await?;
    site.desk().wish(&node_id, wish, node.incarnation).await?;
    site.close().await;
    println!("{node_id} {done}; its region's router tells it within a few seconds");
    Ok(())
}

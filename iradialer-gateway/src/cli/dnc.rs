//! `dnc import`, `dnc list`, `dnc remove`

use super::{Common, Failure, author};
use crate::catalogue::{Catalogue, Catalogues};
use crate::clock::Clock;
use crate::config::Config;
use crate::dnc::{self, Defaults, Export};
use crate::tdb::{DncFilter, NewDnc, Tdb};
use clap::{Args, Subcommand};
use iradialer_core::value::{CampaignName, DialNumber, TenantId};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many numbers are written, or read, at once: a gateway that runs meanwhile need not wait long.
const AT_ONCE: usize = 1_000;

#[derive(Subcommand)]
pub(super) enum DncCommand {
    /// Puts the numbers of a CSV file on the list: a number in each line, or the columns that its header names
    /// (number, campaign_name, reason, source, created_at). What is listed already stays as it is, and of a file
    /// with a mistake nothing is taken.
    Import {
        #[command(flatten)]
        of: Of,
        /// The file; `-` for standard input.
        file: PathBuf,
    },
    /// Prints the list as CSV, which `import` reads.
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Takes numbers off the list of the campaign, or off the one for all of the tenant's.
    Remove {
        #[command(flatten)]
        of: Of,
        /// The numbers, with or without '+'.
        #[arg(required = true)]
        numbers: Vec<String>,
    },
}

#[derive(Args)]
pub(super) struct Of {
    #[command(flatten)]
    common: Common,
    /// Whose list.
    #[arg(long)]
    tenant: String,
    /// Of this campaign alone; of an import where a line names none.
    #[arg(long)]
    campaign: Option<String>,
}

/// The list that a command is about.
struct List {
    config: Config,
    tdb: Tdb,
    catalogue: Arc<Catalogue>,
    tenant: TenantId,
    campaign: Option<CampaignName>,
}

pub(super) fn run(command: DncCommand) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match command {
                DncCommand::Import { of, file } => import(open(of).await?, &file).await,
                DncCommand::List { of } => list(open(of).await?).await,
                DncCommand::Remove { of, numbers } => remove(open(of).await?, &numbers).await,
            }
        })
}

async fn open(of: Of) -> Result<List, Failure> {
    let tenant = TenantId::parse("--tenant", &of.tenant)?;
    let campaign = of.campaign.as_deref();
    let campaign = campaign.map(|name| CampaignName::parse("--campaign", name));
    let campaign = campaign.transpose()?;
    let (tdb, config) = of.common.open().await?;
    let catalogues = Catalogues::new(Arc::clone(&config.catalogue));
    Ok(List {
        catalogue: catalogues.look(&tdb).await?,
        tdb,
        config,
        tenant,
        campaign,
    })
}

async fn import(list: List, file: &Path) -> Result<(), Failure> {
    let source: Box<dyn Read> = match file == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => {
            let opened = File::open(file);
            Box::new(opened.map_err(|error| format!("{}: {error}", file.display()))?)
        }
    };
    let defaults = Defaults {
        campaign_name: list.campaign.clone(),
        added_ms: Clock::system().now_ms(),
    };
    let mut entries = dnc::read(source, &defaults).map_err(|mistakes| {
        let lines = mistakes.join("\n  ");
        format!("{}: nothing was imported:\n  {lines}", file.display())
    })?;
    check_campaigns(&list, &entries)?;
    for entry in &mut entries {
        entry.number = list.config.destinations.dialled(&entry.number);
    }
    let (count, mut added) = (entries.len() as u64, 0);
    for part in entries.chunks(AT_ONCE) {
        let (author, now_ms) = (author::of_command_line(), defaults.added_ms);
        let part = list
            .tdb
            .add_dnc(&list.tenant, part.to_vec(), author, now_ms);
        added += part.await?;
    }
    list.tdb.close().await;
    println!("{added} added, {} were listed before", count - added);
    Ok(())
}

/// A name that is mistyped would keep nobody from being called.
fn check_campaigns(list: &List, entries: &[NewDnc]) -> Result<(), Failure> {
    let named: BTreeSet<_> = entries
        .iter()
        .filter_map(|entry| entry.campaign_name.as_ref())
        .collect();
    let is_unknown = |name: &&&CampaignName| list.catalogue.campaign(&list.tenant, name).is_none();
    match named.iter().find(is_unknown) {
        None => Ok(()),
        Some(name) => {
            let tenant = &list.tenant;
            Err(format!("campaign_name: the tenant {tenant} has no campaign {name}").into())
        }
    }
}

async fn list(list: List) -> Result<(), Failure> {
    let mut export = Export::begin(io::stdout().lock())?;
    let mut filter = DncFilter {
        campaign_name: list.campaign,
        limit: AT_ONCE as u32,
        ..DncFilter::default()
    };
    loop {
        let entries = list.tdb.dnc_entries(&list.tenant, &filter).await?;
        for entry in &entries {
            export.entry(entry)?;
        }
        let Some(last) = entries.last().filter(|_| entries.len() == AT_ONCE) else {
            break;
        };
        let campaign = last.campaign_name.as_ref();
        filter.after = (
            last.number.clone(),
            campaign.map_or_else(String::new, ToString::to_string),
        );
    }
    export.finish()?;
    list.tdb.close().await;
    Ok(())
}

async fn remove(list: List, numbers: &[String]) -> Result<(), Failure> {
    let parsed = numbers
        .iter()
        .map(|number| DialNumber::parse("NUMBER", number));
    let mut parsed: Vec<DialNumber> = parsed.collect::<Result<_, _>>()?;
    for number in &mut parsed {
        *number = list.config.destinations.dialled(number);
    }
    let (author, now_ms) = (author::of_command_line(), Clock::system().now_ms());
    let (tenant, campaign) = (&list.tenant, list.campaign.as_ref());
    let removed = list
        .tdb
        .remove_dnc(tenant, campaign, parsed, author, now_ms);
    let removed = removed.await?;
    list.tdb.close().await;
    match removed {
        0 => Err("none of them was on that list".into()),
        removed => {
            println!("{removed} removed");
            Ok(())
        }
    }
}

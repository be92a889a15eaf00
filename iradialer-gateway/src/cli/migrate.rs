//! `migrate`

use super::{Common, Failure};
use crate::roles;
use crate::tdb::Tdb;
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    common: Common,
    /// Shows the steps and changes nothing; fails where one is missing.
    #[arg(long)]
    check: bool,
    /// As JSON, an object in each line.
    #[arg(long)]
    json: bool,
}

/// Brings the schema up to date, as each start of a gateway does, and prints its steps.
pub(super) fn run(asked: Migrate) -> Result<(), Failure> {
    let config = asked.common.load()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            if !asked.check {
                roles::make_data_dir(&config.data_dir)?;
                Tdb::open(&config.database).await?.close().await;
            }
            let steps = config.database.schema().await?;
            for step in &steps {
                let state = match (step.is_applied, step.name.as_str()) {
                    (true, "unknown") => "of a newer gateway",
                    (true, _) => "applied",
                    (false, _) => "missing",
                };
                match asked.json {
                    true => println!(
                        "{}",
                        json!({ "version": step.version, "name": step.name, "state": state })
                    ),
                    false => println!("{:>4}  {:<20}  {state}", step.version, step.name),
                }
            }
            let missing = steps.iter().filter(|step| !step.is_applied).count();
            match missing {
                0 => Ok(()),
                _ => Err(format!("{}: {missing} steps are missing", config.database).into()),
            }
        })
}

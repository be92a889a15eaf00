//! `config check`, `config defaults`

use super::{ConfigCommand, Failure};
use crate::config::{Config, DEFAULT_FILE, Sources};

pub(super) fn run(command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Defaults => print!("{DEFAULT_FILE}"),
        ConfigCommand::Check { common, dev } => {
            let config = Config::load(&Sources {
                dev,
                uses_bus: true,
                ..common.sources()
            })?;
            println!(
                "OK: {} trunks, {} campaigns, {} flows",
                config.catalogue.trunks.len(),
                config.catalogue.campaigns.len(),
                config.flows.len()
            );
            for doubt in config.catalogue.region_doubts() {
                println!("warning: {doubt}");
            }
        }
    }
    Ok(())
}

//! `license keygen`, `issue`, `inspect`, `verify`, `install`, `show`, `free`

mod free;
mod issue;

use super::{Common, Failure, author};
use crate::clock::Clock;
use crate::license::{Licensing, ShownLicense, ShownStanding};
use crate::tdb::Tdb;
use clap::Subcommand;
use iradialer_core::license::{self, PublicKey, Signed};
use iradialer_core::value::TenantId;
use serde::Serialize;
use serde_json::json;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The longest file that is read for a licence or a key, in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024;
/// Whose entry of the audit log a licence is that is installed here.
const CLUSTER: &str = "cluster";

/// What can be done with licences.
#[derive(Subcommand)]
pub(super) enum LicenseCommand {
    /// Makes the key that licences are signed with, and prints its public key.
    Keygen {
        /// Where the private key is written. None that is there is overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// Signs a licence and prints it.
    Issue {
        #[command(flatten)]
        asked: issue::Asked,
        #[arg(long)]
        json: bool,
    },
    /// Shows what a licence says, whoever has signed it.
    Inspect {
        /// The file it is in; - for the standard input.
        file: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// Says whether a licence counts, holds now, and is not older than the one installed; ends with 1 if not.
    Verify {
        #[command(flatten)]
        common: Common,
        /// The file it is in; - for the standard input.
        file: PathBuf,
        /// Whose signatures count, instead of the configuration's license.public_keys. Then nothing else of the
        /// configuration counts either, and no database is opened.
        #[arg(long, value_name = "BASE64")]
        public_key: Vec<String>,
        #[arg(long)]
        json: bool,
    },
    /// Installs a licence. Gateways that run take it up within 5 s.
    Install {
        #[command(flatten)]
        common: Common,
        /// The file it is in; - for the standard input.
        file: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// Shows the licence in force, and what an operator should know of it.
    Show {
        #[command(flatten)]
        common: Common,
        #[arg(long)]
        json: bool,
    },
    /// Frees at once what a switch that is gone for good held of the licence; otherwise it is free when its lease has
    /// run out. Make sure that the switch is off: one that is only cut off goes on by its lease. One that asks for
    /// more while it is watched is alive, and keeps what it has.
    Free {
        #[command(flatten)]
        common: Common,
        /// The node-id of the switch.
        node: String,
        /// For how long it is watched, s, 1 to 600. Switches ask every 10 s.
        #[arg(long, value_name = "SECONDS", default_value_t = 30,
            value_parser = clap::value_parser!(u64).range(1..=600))]
        watch_s: u64,
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: LicenseCommand) -> Result<(), Failure> {
    match command {
        LicenseCommand::Keygen { out, json } => issue::keygen(&out, json),
        LicenseCommand::Issue { asked, json } => issue::issue(asked, json),
        LicenseCommand::Inspect { file, json } => inspect(&file, json),
        LicenseCommand::Verify {
            common,
            file,
            public_key,
            json,
        } => match public_key.is_empty() {
            true => wait(verify_here(common, &file, json)),
            false => verify_by(&file, &public_key, json),
        },
        LicenseCommand::Install { common, file, json } => wait(install(common, &file, json)),
        LicenseCommand::Show { common, json } => wait(show(common, json)),
        LicenseCommand::Free {
            common,
            node,
            watch_s,
            json,
        } => wait(free::free(common, &node, watch_s, json)),
    }
}

fn wait(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn inspect(file: &Path, as_json: bool) -> Result<(), Failure> {
    let signed = license::read(&read(file)?)?;
    print_license(&signed, as_json);
    if !as_json {
        println!("its signature was not looked at: license verify does");
    }
    Ok(())
}

/// With the keys that were given, at any cluster.
fn verify_by(file: &Path, keys: &[String], as_json: bool) -> Result<(), Failure> {
    let keys = keys
        .iter()
        .map(|key| PublicKey::parse("--public-key", key))
        .collect::<Result<Vec<_>, _>>()?;
    let now_s = Clock::system().now_ms() / 1_000;
    let verdict = license::verify(&read(file)?, &keys).and_then(|signed| {
        let license = &signed.license;
        if let Some(own) = &license.cluster {
            license.check(own, now_s)?;
        }
        match now_s {
            _ if now_s < license.not_before_s => {
                Err(license::Refusal::NotYetValid(license.not_before_s))
            }
            _ if now_s >= license.expires_s => Err(license::Refusal::Expired(license.expires_s)),
            _ => Ok(signed),
        }
    });
    tell_verdict(verdict, as_json)
}

/// As it would be installed here, without doing so.
async fn verify_here(common: Common, file: &Path, as_json: bool) -> Result<(), Failure> {
    let token = read(file)?;
    let (licensing, tdb) = open(common).await?;
    let verdict = licensing.check(&token).await;
    tdb.close().await;
    match verdict {
        Ok(signed) => tell_verdict(Ok(signed), as_json),
        Err(crate::license::NotInstalled::Refused(why)) => tell_verdict(Err(why), as_json),
        Err(error) => Err(error.into()),
    }
}

fn tell_verdict(verdict: Result<Signed, license::Refusal>, as_json: bool) -> Result<(), Failure> {
    match verdict {
        Ok(signed) if as_json => {
            print_json(&json!({ "valid": true, "license": ShownLicense::of(&signed) }));
            Ok(())
        }
        Ok(signed) => {
            println!("OK: it counts, and holds now");
            print_license(&signed, false);
            Ok(())
        }
        Err(why) => {
            if as_json {
                let reason = json!({ "name": why.name(), "message": why.to_string() });
                print_json(&json!({ "valid": false, "reason": reason }));
            }
            Err(format!("{}: {why}", why.name()).into())
        }
    }
}

async fn install(common: Common, file: &Path, as_json: bool) -> Result<(), Failure> {
    let token = read(file)?;
    let (licensing, tdb) = open(common).await?;
    let tenant = TenantId::parse("tenant_id", CLUSTER)?;
    let installed = licensing.install(&token, tenant, author::of_command_line());
    let installed = installed.await;
    let standing = licensing.shown().await;
    tdb.close().await;
    let (installed, standing) = (installed?, standing?);
    match as_json {
        true => print_json(&json!({ "installed": installed, "standing": standing })),
        false => {
            println!(
                "{}",
                match installed {
                    true => "installed; gateways that run take it up within 5 s",
                    false => "it was installed before",
                }
            );
            print_standing(&standing);
        }
    }
    Ok(())
}

async fn show(common: Common, as_json: bool) -> Result<(), Failure> {
    let (licensing, tdb) = open(common).await?;
    licensing.refresh().await?;
    let standing = licensing.shown().await?;
    tdb.close().await;
    match as_json {
        true => print_json(&standing),
        false => print_standing(&standing),
    }
    Ok(())
}

async fn open(common: Common) -> Result<(Licensing, Tdb), Failure> {
    let (tdb, config) = common.open().await?;
    Ok((Licensing::new(&config, Clock::system(), tdb.clone()), tdb))
}

/// A licence or a key; of the standard input where the file is `-`.
fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let named = |error: std::io::Error| format!("{}: {error}", file.display());
    match file.to_str() {
        Some("-") => std::io::stdin()
            .take(MAX_FILE_BYTES)
            .read_to_string(&mut text),
        _ => std::fs::File::open(file)
            .map_err(named)?
            .take(MAX_FILE_BYTES)
            .read_to_string(&mut text),
    }
    .map_err(named)?;
    Ok(text.trim().to_owned())
}

fn print_json(value: &impl Serialize) {
    println!(
        "{}",
        serde_json::to_string_pretty(value).unwrap_or_default()
    );
}

fn print_license(signed: &Signed, as_json: bool) {
    let shown = ShownLicense::of(signed);
    match as_json {
        true => print_json(&shown),
        false => print_fields(&shown),
    }
}

fn print_fields(license: &ShownLicense) {
    let row = |name: &str, value: String| println!("{name:<14} {value}");
    row("license id", license.license_id.clone());
    row("serial", license.serial.to_string());
    row("customer", license.customer.clone());
    row(
        "cluster",
        license.cluster.clone().unwrap_or_else(|| "any".to_owned()),
    );
    row("signed with", license.key_id.clone());
    row("issued", license.issued_at.clone());
    row("holds from", license.not_before.clone());
    row("expires", license.expires_at.clone());
    print_limits(&license.limits);
}

fn print_limits(limits: &crate::license::ShownLimits) {
    let row = |name: &str, value: String| println!("{name:<14} {value}");
    row("channels", limits.max_channels.to_string());
    row("calls/s", limits.max_cps.to_string());
    row("switches", limits.max_switches.to_string());
    row("features", limits.features.to_string());
    row("grace", format!("{} s", limits.grace_s));
}

fn print_standing(standing: &ShownStanding) {
    println!("{:<14} {}", "state", standing.state);
    match &standing.license {
        Some(license) => print_fields(license),
        None => print_limits(&standing.limits),
    }
    if let Some(at) = &standing.installed_at {
        println!("{:<14} {at}", "installed");
    }
    for lease in &standing.leases {
        println!(
            "{:<14} {}: {} of {} channels, {} calls/s",
            "lease", lease.node_id, lease.using, lease.channels, lease.cps
        );
    }
    for warning in &standing.warnings {
        println!("{:<14} {}", "WARNING", warning.message);
    }
}

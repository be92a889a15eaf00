//! Making keys and licences: for who gives licences out.

use super::{Failure, print_json, print_license, read};
use crate::cli::token::later;
use crate::clock::Clock;
use crate::license::ShownLicense;
use clap::Args;
use iradialer_core::license::{self, Features, License, Limits, SigningKey};
use iradialer_core::value::ClusterName;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What a licence is to say.
#[derive(Args)]
pub(in crate::cli) struct Asked {
    /// The private key, as license keygen has written it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// To whom it is given.
    #[arg(long)]
    customer: String,
    /// Rises with each licence that the customer is given; the time in seconds by default.
    #[arg(long)]
    serial: Option<u64>,
    /// The only cluster it is for, as its cluster.name; any by default.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Calls at once.
    #[arg(long, value_name = "N")]
    channels: u32,
    /// Calls begun a second.
    #[arg(long, value_name = "N")]
    cps: f64,
    /// Switches that take calls.
    #[arg(long, value_name = "N")]
    switches: u32,
    /// What calls may do, separated by commas; all of it by default.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "ivr,recording,tts,transfer,inbound,cpa"
    )]
    features: Vec<String>,
    /// How long switches go on when every gateway is away, s.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    grace: u32,
    /// From when on it holds: a time such as 2027-01-31T00:00:00Z, or from now on such as 30d. At once by default.
    #[arg(long, value_name = "WHEN")]
    not_before: Option<String>,
    /// Until when it holds: a time, or from now on such as 1y, 90d or 12h.
    #[arg(long, value_name = "WHEN")]
    expires: String,
}

impl Asked {
    fn license(self, now_ms: u64) -> Result<License, Failure> {
        let now_s = now_ms / 1_000;
        let second = |field, text: &str| later(field, text, now_ms).map(|ms| ms / 1_000);
        let not_before = self.not_before.as_deref();
        let not_before = not_before.map(|text| second("--not-before", text));
        let features = self.features.iter().map(String::as_str);
        let cluster = self.cluster.as_deref();
        let cluster = cluster.map(|name| ClusterName::parse("--cluster", name));
        Ok(License {
            license_id: Uuid::new_v4(),
            serial: self.serial.unwrap_or(now_s),
            customer: self.customer,
            cluster: cluster.transpose()?,
            issued_s: now_s,
            not_before_s: not_before.transpose()?.unwrap_or(now_s),
            expires_s: second("--expires", &self.expires)?,
            limits: Limits {
                max_channels: self.channels,
                max_cps: self.cps,
                max_switches: self.switches,
                features: Features::parse("--features", features.filter(|name| !name.is_empty()))?,
                grace_s: self.grace,
            },
        })
    }
}

/// `license keygen`
pub(super) fn keygen(out: &Path, as_json: bool) -> Result<(), Failure> {
    let pem = SigningKey::generate()?;
    let public = SigningKey::from_pem(&pem)?.public();
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out)
        .and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| format!("--out: {}: {error}", out.display()))?;
    match as_json {
        true => print_json(&json!({
            "private_key_file": out,
            "public_key": public.to_string(),
            "key_id": public.id(),
        })),
        false => {
            println!("{public}");
            eprintln!(
                "{} signs licences: keep it secret. What is printed is its public key, for license.public_keys; \
                 it is called {}",
                out.display(),
                public.id()
            );
        }
    }
    Ok(())
}

/// `license issue`: the licence alone on stdout, so that a script can take it.
pub(super) fn issue(asked: Asked, as_json: bool) -> Result<(), Failure> {
    let file = asked.key.clone();
    let key = SigningKey::from_pem(&read(&file)?)
        .map_err(|error| format!("--key: {}: {error}", file.display()))?;
    let license = asked.license(Clock::system().now_ms())?;
    let token = license::issue(&license, &key)?;
    let signed = license::verify(&token, &[key.public()])?;
    match as_json {
        true => print_json(&json!({ "token": token, "license": ShownLicense::of(&signed) })),
        false => {
            println!("{token}");
            if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
                print_license(&signed, false);
            }
        }
    }
    Ok(())
}

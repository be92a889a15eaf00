//! A client in another language, written from the published API alone, against a running system. Where Python or its
//! `requests` is not there, it says so.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::loopback::{CAMPAIGN, Loopback, TENANT, TRUNK};
use iradialer_rig::skip;
use serde_json::json;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::process::Command;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../client/client.py");

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_published_api_works() -> Result<()> {
    let test = "the client of the published API";
    let mut check = Command::new("python3");
    let found = check.args(["-c", "import requests"]).output().await;
    if !found.is_ok_and(|output| output.status.success()) {
        return skip::say(
            test,
            "python3 with requests is not there (apt-get install python3-requests)",
        );
    }
    let rig = Loopback::on_sandbox().await?;
    let gateway = &rig.system.gateway;
    let operator = rig
        .api
        .with_token(&gateway.new_token_of("operator", TENANT)?);
    for (name, trunks, hours) in [
        ("closed", vec![TRUNK], Some(elsewhen()?)),
        ("trunkless", vec![], None),
    ] {
        let campaign = json!({ "trunks": trunks, "hours": hours });
        let answer = operator
            .put(&format!("/api/campaigns/{name}"), &campaign)
            .await?;
        ensure!(answer.status == 201, "{name}: {answer:?}");
    }
    let output = Command::new("python3")
        .arg(Path::new(CLIENT))
        .env("IRA_URL", gateway.url())
        .env("IRA_CERT", gateway.cert())
        .env("IRA_TOKEN", rig.api.token())
        .env("IRA_CAMPAIGN", CAMPAIGN)
        .env("IRA_CLOSED", "closed")
        .env("IRA_TRUNKLESS", "trunkless")
        .kill_on_drop(true)
        .output()
        .await
        .context("running the client")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{said}\n{errors}\n{}",
        rig.system.logs()
    );
    Ok(())
}

/// An hour of the day in UTC that is far from this one.
fn elsewhen() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let hour = now.as_secs() / 3_600 % 24;
    let begin = if hour < 12 { 18 } else { 6 };
    Ok(format!("{begin:02}00-{:02}00", begin + 1))
}

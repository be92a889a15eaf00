//! Whether a gateway runs here and takes requests, and whether the regions have routers.

use super::{Finding, Patient};
use crate::config::Role;
use crate::ready_file::ReadyFile;
use reqwest::{Certificate, Client};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

const CHECK: &str = "gateway";
/// Queued calls that are due and older than this are told of, ms.
const OLD_MS: u64 = 60_000;
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    if patient.config.roles.contains(&Role::Web) {
        findings.push(web(patient).await);
    }
    findings.extend(routers(patient).await);
    findings
}

async fn web(patient: &Patient) -> Finding {
    let Some(ready) = ReadyFile::read(&patient.config.data_dir) else {
        let found = "no gateway runs with this data_dir";
        let mend = "start it (`iradialer-gateway serve`), and look at its log for why it ended";
        return Finding::fault(CHECK, found, mend);
    };
    let asked = async {
        let pem = fs::read(&ready.cert).map_err(|error| error.to_string())?;
        let chain = Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string())?;
        // Asked by address: the name in a real certificate is not this.
        let client = Client::builder()
            .tls_certs_only(chain)
            .tls_danger_accept_invalid_hostnames(true)
            .no_proxy()
            .timeout(PATIENCE)
            .build();
        let client = client.map_err(|error| error.to_string())?;
        let answer = client.get(format!("{}/readyz", ready.https)).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        Ok::<_, String>((status, answer.text().await.unwrap_or_default()))
    };
    match asked.await {
        Ok((status, _)) if status.is_success() => {
            Finding::ok(CHECK, format!("{} is ready", ready.https))
        }
        Ok((status, said)) => {
            let found = format!("{}/readyz says {status}: {}", ready.https, said.trim());
            Finding::fault(CHECK, found, "bring back what it says is down")
        }
        Err(why) => {
            let found = format!("{} does not answer: {why}", ready.https);
            let mend = format!(
                "look whether process {} lives and what its log says; start it again",
                ready.pid
            );
            Finding::fault(CHECK, found, mend)
        }
    }
}

/// Each region that has campaigns needs a router.
async fn routers(patient: &Patient) -> Vec<Finding> {
    let Some(tdb) = &patient.tdb else {
        return Vec::new();
    };
    let campaigns = patient.catalogue.campaigns.values();
    let regions: BTreeSet<_> = campaigns.map(|campaign| &campaign.region).collect();
    let now_ms = patient.clock.now_ms();
    let mut findings = Vec::new();
    for region in regions {
        let lease = tdb.seen_lease(region.as_str()).await;
        let leads = matches!(lease, Ok(Some(lease)) if lease.expires_ms > now_ms);
        findings.push(match leads {
            true => Finding::ok("router", format!("the region {region} has a router")),
            false => {
                let found = format!("no router leads the region {region}: its calls wait");
                let mend = format!(
                    "start a gateway with the role router and --region {region}; one that runs says in \
                     its log why it does not lead"
                );
                Finding::fault("router", found, mend)
            }
        });
    }
    if let Ok(due @ 1..) = tdb.overdue_calls(now_ms.saturating_sub(OLD_MS)).await {
        let found = format!("{due} calls wait in the queue for more than a minute");
        let mend = "`iradialer-gateway calls explain UUID` says what one of them waits for";
        findings.push(Finding::warning("router", found, mend));
    }
    findings
}

//! The TDB: there, of our schema, and writable.

use super::Finding;
use crate::config::Config;
use crate::tdb::{DatabaseUrl, SchemaStep, Tdb, TdbError};

const CHECK: &str = "tdb";

/// What was found, and the TDB where it can be used as it is.
pub(super) async fn look(config: &Config) -> (Vec<Finding>, Option<Tdb>) {
    let url = &config.database;
    let steps = match url.schema().await {
        Ok(steps) => steps,
        Err(error) => return (vec![fault(url, &error)], None),
    };
    if let Some(finding) = schema(url, &steps) {
        return (vec![finding], None);
    }
    match Tdb::open_at_once(url).await {
        Ok(tdb) => {
            let found = format!(
                "{url} can be read and written, with all {} steps",
                steps.len()
            );
            (vec![Finding::ok(CHECK, found)], Some(tdb))
        }
        Err(error) => (vec![fault(url, &error)], None),
    }
}

/// What is wrong with the schema, if anything is.
fn schema(url: &DatabaseUrl, steps: &[SchemaStep]) -> Option<Finding> {
    let unknown = steps.iter().filter(|step| step.name == "unknown").count();
    if unknown > 0 {
        let found = format!("{url} has {unknown} steps of a newer gateway");
        let mend = "run the newer iradialer-gateway that has written it; it can't be taken back";
        return Some(Finding::fault(CHECK, found, mend));
    }
    let missing = steps.iter().filter(|step| !step.is_applied).count();
    if missing == steps.len() {
        let found = format!("{url} was used by no gateway yet");
        let mend = "start the gateway, or run `iradialer-gateway migrate`";
        return Some(Finding::warning(CHECK, found, mend));
    }
    (missing > 0).then(|| {
        let found = format!(
            "{url} lacks {missing} of {} steps of the schema",
            steps.len()
        );
        let mend = "make a backup, then restart every gateway with this version, or run \
            `iradialer-gateway migrate`";
        Finding::warning(CHECK, found, mend)
    })
}

fn fault(url: &DatabaseUrl, error: &TdbError) -> Finding {
    let found = format!("{url}: {error}");
    let mend = match (error, url) {
        (TdbError::Away(_), DatabaseUrl::Server(_)) => {
            "see that PostgreSQL runs and takes connections from here (pg_hba.conf, firewall), and that \
             database_url is right"
        }
        (TdbError::Full(_), _) => "make room on its disk",
        (TdbError::NotADatabase(_), _) => {
            "keep the file for later, put a backup in its place, and start the gateway"
        }
        (TdbError::ReadOnly(_), _) => {
            "give the file and its folder to the gateway's user, or point database_url to the server that \
             takes writes"
        }
        (TdbError::HalfApplied(_), _) => "put the backup of before the upgrade back",
        _ => "see that database_url is right, and that its user may log on and write",
    };
    Finding::fault(CHECK, found, mend)
}

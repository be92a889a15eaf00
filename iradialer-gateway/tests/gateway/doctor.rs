//! `doctor` with one thing wrong each time: it has to find that, and say what to do about it.

use crate::gateway::{CONFIG, Site};
use crate::license::Issuer;
use crate::nats_config::{Server, start_server};
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, ClusterName, NodeId};
use iradialer_core::wire::{Heartbeat, SwitchState, VERSION};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use sqlx::{AnyConnection, Connection};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use tokio::task::JoinHandle;

/// Where no FreeSWITCH is, so that the one of this machine is left alone.
const NO_FREESWITCH: [&str; 2] = ["--freeswitch-prefix", "/dev/null"];

/// What `doctor` says.
struct Report {
    findings: Vec<Value>,
    is_healthy: bool,
}

impl Report {
    /// Those of that check that are no good, each with what to do.
    fn faults(&self, check: &str) -> Vec<String> {
        let bad = |finding: &&Value| {
            finding["check"] == check
                && (finding["verdict"] == "fault" || finding["verdict"] == "warning")
        };
        let told = self.findings.iter().filter(bad).map(|finding| {
            let mend = finding["mend"].as_str().unwrap_or_default();
            assert!(!mend.is_empty(), "{finding}: what to do?");
            format!("{} => {mend}", finding["found"].as_str().unwrap())
        });
        told.collect()
    }

    /// The fault is found, by these words, and what to do is said.
    #[track_caller]
    fn names(&self, check: &str, words: &[&str]) {
        let faults = self.faults(check);
        let is_it = |fault: &String| words.iter().all(|word| fault.contains(word));
        let findings = &self.findings;
        assert!(faults.iter().any(is_it), "{words:?}: {findings:#?}");
    }
}

/// Asks `doctor` about a site.
async fn examine(site: &Site, more: &[&str]) -> Report {
    let command = [&["doctor", "--json"], more].concat();
    let said = site.run(&command).await;
    let text = String::from_utf8(said.stdout).unwrap();
    let findings = text.lines().map(|line| serde_json::from_str(line).unwrap());
    Report {
        findings: findings.collect(),
        is_healthy: said.status.success(),
    }
}

/// A site without a NATS that anybody could reach.
fn without_nats(more: &str) -> Site {
    // Nothing listens on the discard port of loopback.
    let site = Site::new(&format!(
        "{CONFIG}\n[nats]\nurl = \"nats://127.0.0.1:9\"\n{more}"
    ));
    make_data_dir(&site.data());
    site
}

fn make_data_dir(data: &Path) {
    std::fs::create_dir(data).unwrap();
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// Runs this SQL in the site's database.
async fn sql(site: &Site, sql: &'static str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&site.database()).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64
}

/// A switch that says each 200 ms that it lives, in this state, by a clock that is so far ahead.
fn heartbeats(bus: async_nats::Client, state: SwitchState, ahead_ms: u64) -> JoinHandle<()> {
    let node_id = NodeId::parse("node_id", "switch-1").unwrap();
    let cluster = ClusterName::parse("cluster", "ira").unwrap();
    let (incarnation, journal_id) = (CallUuid::fresh(), CallUuid::fresh());
    tokio::spawn(async move {
        loop {
            let heartbeat = Heartbeat {
                v: VERSION,
                node_id: node_id.clone(),
                incarnation,
                journal_id,
                state,
                calls: 0,
                setups: 0,
                max_calls: 10,
                max_cps: 10.0,
                license: None,
                events_waiting: 0,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                host: "1.10.12".to_owned(),
                uptime_s: 1,
                at_ms: now_ms() + ahead_ms,
            };
            let payload = serde_json::to_vec(&heartbeat).unwrap();
            let subject = subject::switch_heartbeat(&cluster, &node_id);
            let _ = bus.publish(subject, payload.into()).await;
            let _ = bus.flush().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_well_has_no_fault() {
    let issuer = Issuer::new().await;
    let config = CONFIG.replace("trunks = []", "trunks = [\"chime\"]");
    let site = Site::new(&format!("{config}\n{}", issuer.config()));
    let license = issuer.file("license", &issuer.issue(1, &[]).await);
    let installed = site.run(&["license", "install", &license]).await;
    assert!(installed.status.success(), "{installed:?}");
    let gateway = site.start().await;
    let beats = heartbeats(gateway.bus().await, SwitchState::Active, 0);
    let arguments = ["--dev", "--min-free-mib", "1"];
    let report = examine(gateway.site(), &arguments).await;
    beats.abort();
    let bad = |finding: &&Value| finding["verdict"] == "fault" || finding["verdict"] == "warning";
    // FreeSWITCH may be on this machine, set up for another cluster.
    let others = report
        .findings
        .iter()
        .filter(|one| one["check"] != "freeswitch");
    let bad: Vec<_> = others.filter(bad).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for check in [
        "disk", "tls", "tdb", "nats", "clock", "license", "gateway", "router", "switches", "trunks",
    ] {
        let ok = |one: &Value| one["check"] == check && one["verdict"] == "ok";
        assert!(
            report.findings.iter().any(ok),
            "{check}: {:#?}",
            report.findings
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_configuration() {
    let site = Site::new(&CONFIG.replace("max_cps = 100.0", "max_cps = -1.0"));
    let report = examine(&site, &["--dev"]).await;
    report.names("config", &["trunks[0].max_cps", "-1", "config defaults"]);
    assert!(!report.is_healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_is_none_or_open_or_full() {
    let site = without_nats("");
    std::fs::remove_dir(site.data()).unwrap();
    std::fs::write(site.data(), "").unwrap();
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names("disk", &["is no directory", "set data_dir"]);

    let site = without_nats("");
    std::fs::set_permissions(site.data(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let more = [&["--min-free-mib", "1000000000"], &NO_FREESWITCH[..]].concat();
    let report = examine(&site, &more).await;
    report.names("disk", &["(mode 755)", "chmod 700"]);
    report.names("disk", &["MiB are free", "make room"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_has_ended_or_is_another_keys() {
    let site = without_nats("");
    let (cert, key) = (site.data().join("c.pem"), site.data().join("k.pem"));
    let (own, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = OffsetDateTime::from_unix_timestamp(1_500_000_000).unwrap();
    params.not_after = OffsetDateTime::from_unix_timestamp(1_600_000_000).unwrap();
    std::fs::write(&cert, params.self_signed(&own).unwrap().pem()).unwrap();
    std::fs::write(&key, own.serialize_pem()).unwrap();
    let paths = format!("listen = \"127.0.0.1:0\"\ntls_cert = {cert:?}\ntls_key = {key:?}");
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config = config.replace("listen = \"127.0.0.1:0\"", &paths);
    std::fs::write(site.config(), config).unwrap();
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names("tls", &["ended at", "Sep 13", "2020", "renew it"]);
    report.names("tls", &["can read the key", "chmod 600"]);

    std::fs::write(&key, other.serialize_pem()).unwrap();
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names("tls", &["web.tls_cert, web.tls_key", "belong together"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_nats_and_no_gateway() {
    let report = examine(&without_nats(""), &NO_FREESWITCH).await;
    report.names(
        "nats",
        &[
            "nothing answers as NATS",
            "127.0.0.1:9",
            "start nats-server",
        ],
    );
    report.names("gateway", &["no gateway runs", "iradialer-gateway serve"]);
    assert!(!report.is_healthy);
}

/// A server that was made with `nats-config`, and the site whose configuration says so.
async fn with_nats(change: impl Fn(&str) -> String, more: &str) -> (Site, Server) {
    let site = Site::new(CONFIG);
    let out = site.config().with_file_name("nats");
    let command = [
        "nats-config",
        "--node",
        "switch-1",
        "--out",
        out.to_str().unwrap(),
    ];
    assert!(site.run(&command).await.status.success());
    let conf = out.join("nats-server.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, change(&text)).unwrap();
    let (server, url) = start_server(&conf).await;
    let link = std::fs::read_to_string(out.join("gateway.toml")).unwrap();
    let link = link.replace("nats://127.0.0.1:4222", &url);
    std::fs::write(site.config(), format!("{CONFIG}\n{link}\n{more}")).unwrap();
    make_data_dir(&site.data());
    (site, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_that_refuses_us_or_has_no_jetstream() {
    let without_jetstream = |conf: &str| {
        let (before, rest) = conf.split_once("jetstream {").unwrap();
        let (_, after) = rest.split_once('}').unwrap();
        format!("{before}{after}")
    };
    let (site, _server) = with_nats(without_jetstream, "").await;
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names("nats", &["JetStream does not answer", "enable it"]);

    let config = std::fs::read_to_string(site.config()).unwrap();
    let (before, rest) = config.split_once("password = \"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    std::fs::write(
        site.config(),
        format!("{before}password = \"wrong\"{after}"),
    )
    .unwrap();
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names("nats", &["refuses the user", "nats.password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_newer_or_none() {
    let site = without_nats("");
    assert!(site.run(&["migrate"]).await.status.success());
    sql(
        &site,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT 9999, description, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names("tdb", &["1 steps of a newer gateway", "run the newer"]);

    let site = without_nats("");
    std::fs::write(site.data().join("x.db"), vec![b'x'; 8_192]).unwrap();
    let url = format!("sqlite://{}", site.data().join("x.db").display());
    let site = site.on(Some(url));
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names("tdb", &["no database, or damaged", "put a backup"]);

    // Nobody listens there.
    let site = without_nats("").on(Some("postgres://ira:secret@127.0.0.1:9/ira".to_owned()));
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names(
        "tdb",
        &["postgres://ira@127.0.0.1:9/ira", "see that PostgreSQL runs"],
    );
    assert!(
        report
            .findings
            .iter()
            .all(|one| !one.to_string().contains("secret"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_licence_one_that_ends_soon_and_one_that_has_ended() {
    let issuer = Issuer::new().await;
    let site = without_nats(&issuer.config());
    assert!(site.run(&["migrate"]).await.status.success());
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names("license", &["there is no licence", "license install"]);

    let token = issuer.issue(1, &["--expires", "5d"]).await;
    let license = issuer.file("license", &token);
    assert!(
        site.run(&["license", "install", &license])
            .await
            .status
            .success()
    );
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names(
        "license",
        &["The licence expires at", "get the next licence"],
    );

    site.set_clock(6 * 86_400_000).await;
    let report = examine(&site, &NO_FREESWITCH).await;
    report.names("license", &["no new call is taken", "license install"]);
    assert!(!report.is_healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_is_silent_drained_faulty_or_of_another_time() {
    let nodes = "\n[[nodes]]\nnode_id = \"switch-1\"\n";
    let gateway = Site::new(&format!("{CONFIG}{nodes}")).start().await;
    let report = examine(gateway.site(), &["--dev"]).await;
    report.names("switches", &["switch-1 is silent", "iradialer status"]);

    let bus = gateway.bus().await;
    let beats = heartbeats(bus.clone(), SwitchState::Draining, 3_600_000);
    let report = examine(gateway.site(), &["--dev"]).await;
    report.names(
        "switches",
        &["switch-1 takes no new calls", "iradialer resume"],
    );
    report.names(
        "clock",
        &["the switch switch-1 is 3600.", "ahead of", "NTP"],
    );
    beats.abort();

    let beats = heartbeats(bus, SwitchState::Faulty, 0);
    let report = examine(gateway.site(), &["--dev"]).await;
    report.names("switches", &["its journal can't be written", "journal-dir"]);
    beats.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_is_down_a_campaign_without_one_and_no_router() {
    let site = Site::new(CONFIG);
    assert!(site.run(&["migrate"]).await.status.success());
    sql(
        &site,
        "INSERT INTO trunk_states (trunk, breaker, breaker_until_ms, breaker_reason, failures, updated_ms)
         VALUES ('chime', 'open', 9000000000000, '403 Forbidden', 5, 1)",
    )
    .await;
    let gateway = site.start_with(&["--dev", "--roles", "web"]).await;
    let report = examine(gateway.site(), &["--dev"]).await;
    report.names(
        "trunks",
        &[
            "chime gets no calls",
            "403 Forbidden",
            "sofia status gateway chime",
        ],
    );
    report.names("trunks", &["trunkless of acme has no trunk", "name one"]);
    report.names(
        "router",
        &["no router leads the region default", "role router"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeswitch_without_the_module_or_of_another_cluster() {
    let site = without_nats("");
    let prefix = site.data().join("fs");
    let conf = prefix.join("etc/freeswitch/autoload_configs");
    std::fs::create_dir_all(&conf).unwrap();
    let more = ["--freeswitch-prefix", prefix.to_str().unwrap()];
    let report = examine(&site, &more).await;
    report.names(
        "freeswitch",
        &["mod_iradialer.so is not there", "make install"],
    );
    report.names(
        "freeswitch",
        &["iradialer.conf.xml", "copy conf/autoload_configs"],
    );

    let shipped =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/autoload_configs/iradialer.conf.xml");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    let other = shipped.replace(
        "name=\"cluster\" value=\"ira\"",
        "name=\"cluster\" value=\"north\"",
    );
    std::fs::write(conf.join("iradialer.conf.xml"), other).unwrap();
    let report = examine(&site, &more).await;
    report.names("freeswitch", &["cluster is \"north\"", "set both"]);
}

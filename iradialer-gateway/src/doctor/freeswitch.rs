//! The FreeSWITCH of this machine, where there is one: whether our module is installed and set up as the
//! gateway expects.

use super::{Finding, Patient};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHECK: &str = "freeswitch";

/// Where the parts of an installation are.
struct Installation {
    modules: PathBuf,
    conf: PathBuf,
}

pub(super) fn look(patient: &Patient, prefix: Option<&Path>) -> Vec<Finding> {
    let Some(installation) = find(prefix) else {
        let found = "none on this machine (FREESWITCH_PREFIX, pkg-config, PATH): switches are asked over NATS";
        return vec![Finding::skipped(CHECK, found)];
    };
    let module = installation.modules.join("mod_iradialer.so");
    let file = installation
        .conf
        .join("autoload_configs/iradialer.conf.xml");
    let mut findings = Vec::new();
    if !module.exists() {
        let found = format!("{} is not there", module.display());
        let mend = "`make install` with FREESWITCH_PREFIX set, then `load mod_iradialer` in fs_cli";
        findings.push(Finding::fault(CHECK, found, mend));
    }
    match parameters(&file) {
        Ok(parameters) => findings.extend(configured(patient, &file, &parameters)),
        Err(why) => {
            let found = format!("{}: {why}", file.display());
            let mend =
                "copy conf/autoload_configs/iradialer.conf.xml there and change what it marks";
            findings.push(Finding::fault(CHECK, found, mend));
        }
    }
    if findings.is_empty() {
        let found = format!("{} and its configuration are in place", module.display());
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}

/// What the module's file says that can't be meant.
fn configured(
    patient: &Patient,
    file: &Path,
    parameters: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let shown = file.display();
    let value = |name: &str| parameters.get(name).map_or("", String::as_str);
    let mut findings = Vec::new();
    let cluster = patient.config.cluster.as_str();
    if value("cluster") != cluster {
        let found = format!(
            "{shown}: cluster is \"{}\", the gateway's cluster.name is \"{cluster}\"",
            value("cluster")
        );
        findings.push(Finding::fault(CHECK, found, "set both to the same name"));
    }
    let node = value("node-id");
    let nodes = &patient.catalogue.nodes;
    let is_listed = nodes.iter().any(|listed| listed.node_id.as_str() == node);
    if !nodes.is_empty() && !is_listed {
        let found = format!("{shown}: node-id \"{node}\" is none of the gateway's [[nodes]]");
        let mend = "add it to [[nodes]] of the gateway, or change the node-id, then `reload mod_iradialer`";
        findings.push(Finding::warning(CHECK, found, mend));
    }
    let is_heard = |heard: &super::Heard| heard.heartbeat.node_id.as_str() == node;
    if let Some(heard) = &patient.heard
        && !heard.iter().any(is_heard)
    {
        let found =
            format!("the FreeSWITCH of this machine (node-id \"{node}\") is not heard on NATS");
        let mend = "`fs_cli -x 'iradialer status'`; where there is no such command `load mod_iradialer`; \
            else see nats-url, nats-user and nats-password in its file";
        findings.push(Finding::fault(CHECK, found, mend));
    }
    findings
}

/// The `param`s of the module's file.
fn parameters(file: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let document = roxmltree::Document::parse(&text).map_err(|error| error.to_string())?;
    let params = document
        .descendants()
        .filter(|node| node.has_tag_name("param"));
    let pairs = params.filter_map(|node| {
        let (name, value) = (node.attribute("name")?, node.attribute("value")?);
        Some((name.to_owned(), value.to_owned()))
    });
    Ok(pairs.collect())
}

fn find(prefix: Option<&Path>) -> Option<Installation> {
    let given = std::env::var_os("FREESWITCH_PREFIX").filter(|prefix| !prefix.is_empty());
    if let Some(prefix) = prefix.map(Path::to_owned).or(given.map(PathBuf::from)) {
        return Some(below(&prefix));
    }
    if let (Some(modules), Some(conf)) = (pkg_config("modulesdir"), pkg_config("confdir")) {
        return Some(Installation { modules, conf });
    }
    let path = std::env::var_os("PATH")?;
    let mut programs = std::env::split_paths(&path).map(|dir| dir.join("freeswitch"));
    let program = programs.find(|file| file.is_file())?.canonicalize().ok()?;
    Some(below(program.parent()?.parent()?))
}

/// What was installed with that prefix: beside each other, or as the distributions part it.
fn below(prefix: &Path) -> Installation {
    let own = prefix.join("etc/freeswitch");
    let (modules, conf) = (
        prefix.join("lib/freeswitch/mod"),
        match own.exists() {
            true => own,
            false => prefix.join("conf"),
        },
    );
    let modules = match modules.exists() {
        true => modules,
        false => prefix.join("mod"),
    };
    Installation { modules, conf }
}

fn pkg_config(variable: &str) -> Option<PathBuf> {
    let variable = format!("--variable={variable}");
    let asked = Command::new("pkg-config")
        .args([&variable, "freeswitch"])
        .output()
        .ok()?;
    let text = String::from_utf8(asked.stdout).ok()?;
    let text = text.trim();
    (asked.status.success() && !text.is_empty()).then(|| PathBuf::from(text))
}

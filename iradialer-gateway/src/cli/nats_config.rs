//! `nats-config`: the users of a NATS server of one's own, ready to use.

use super::{Common, Failure};
use crate::bus::users;
use iradialer_core::value::{ClusterName, NodeId};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What a guess costs: 2 to this power rounds, as NATS' own tool takes.
const BCRYPT_COST: u32 = 11;

/// Writes `nats-server.conf` with hashes of fresh passwords, and the passwords in one file for the gateway
/// and one for each switch, all for their owner only. A file that is there already is left alone.
pub(super) fn run(common: Common, nodes: &[String], url: &str, dir: &Path) -> Result<(), Failure> {
    let config = common.load()?;
    let mut ids: Vec<NodeId> = Vec::new();
    for node in nodes {
        let id = NodeId::parse("--node", node)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.is_empty() {
        ids = config.node_ids();
    }
    if ids.is_empty() {
        return Err("--node: expected the node-id of a switch, and [[nodes]] has none".into());
    }
    let files = files(&config.cluster, &ids, url)?;
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for (name, text) in files {
        let path = dir.join(name);
        write_new(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

fn files(
    cluster: &ClusterName,
    nodes: &[NodeId],
    url: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let gateway = users::fresh_password();
    let client = users::fresh_password();
    let mut logins = Vec::new();
    let mut written = vec![(
        "gateway.toml".to_owned(),
        format!(
            "# For the gateway's configuration.\n[nats]\nurl = {url:?}\nuser = {:?}\npassword = {gateway:?}\n",
            users::GATEWAY_USER
        ),
    )];
    written.push(("client.json".to_owned(), client_file(cluster, url, &client)));
    for node in nodes {
        let password = users::fresh_password();
        written.push((
            format!("{node}.xml"),
            switch_file(cluster, node, url, &password),
        ));
        logins.push((node, hash(&password)?));
    }
    let block = users::authorization(
        cluster,
        &hash(&gateway)?,
        &hash(&client)?,
        logins.iter().map(|(node, hash)| (*node, hash.as_str())),
    );
    let server = format!(
        "# nats-server -c THIS. The passwords are bcrypt hashes; docs/nats.md has the rest.\n\
         listen: \"127.0.0.1:4222\"\n\
         jetstream {{ store_dir: \"/var/lib/nats\" }}\n{block}"
    );
    written.insert(0, ("nats-server.conf".to_owned(), server));
    Ok(written)
}

/// For a program that asks the routers.
fn client_file(cluster: &ClusterName, url: &str, password: &str) -> String {
    let login = serde_json::json!({
        "url": url,
        "user": users::CLIENT_USER,
        "password": password,
        "inbox_prefix": format!("{}inbox", iradialer_core::subject::clients(cluster)),
    });
    format!("{login:#}\n")
}

fn switch_file(cluster: &ClusterName, node: &NodeId, url: &str, password: &str) -> String {
    let params = [
        ("cluster", cluster.as_str()),
        ("node-id", node.as_str()),
        ("nats-url", url),
        ("nats-user", &users::switch_user(node)),
        ("nats-password", password),
    ]
    .map(|(name, value)| format!("<param name=\"{name}\" value=\"{value}\"/>\n"));
    format!(
        "<!-- For iradialer.conf.xml of {node}. -->\n{}",
        params.concat()
    )
}

fn hash(password: &str) -> Result<String, Failure> {
    Ok(bcrypt::hash(password, BCRYPT_COST)?)
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

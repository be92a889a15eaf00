//! Where the gateway keeps its data.

use super::Finding;
use crate::config::Config;
use crate::tdb::DatabaseUrl;
use rustix::fs::statvfs;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const CHECK: &str = "disk";

pub(super) fn look(config: &Config, min_free_mib: u64) -> Vec<Finding> {
    let dir = &config.data_dir;
    let shown = dir.display();
    let meta = match fs::metadata(dir) {
        Ok(meta) => meta,
        Err(error) => {
            let found = format!("data_dir {shown} can't be used: {error}");
            let mend = "create it for the gateway's user, or start the gateway, which makes it; or set data_dir";
            return vec![Finding::fault(CHECK, found, mend)];
        }
    };
    if !meta.is_dir() {
        let found = format!("data_dir {shown} is no directory");
        let mend = "remove what is there, or set data_dir to another path";
        return vec![Finding::fault(CHECK, found, mend)];
    }
    let mut findings = Vec::new();
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let found = format!("others can look into data_dir {shown} (mode {mode:o})");
        let mend = format!("chmod 700 {shown}: there are keys, tokens and telephone numbers in it");
        findings.push(Finding::warning(CHECK, found, mend));
    }
    findings.push(room(dir, min_free_mib));
    if let DatabaseUrl::File(file) = &config.database
        && let Some(parent) = file.parent().filter(|parent| parent != dir)
    {
        findings.push(room(parent, min_free_mib));
    }
    findings
}

/// How much room there is where that folder is.
fn room(dir: &Path, min_free_mib: u64) -> Finding {
    let shown = dir.display();
    let disk = match statvfs(dir) {
        Ok(disk) => disk,
        Err(error) => {
            let found = format!("{shown} can't be looked at: {error}");
            return Finding::fault(CHECK, found, "see that the disk is mounted");
        }
    };
    let free_mib = disk.f_bavail.saturating_mul(disk.f_frsize) / (1024 * 1024);
    if free_mib < min_free_mib {
        let found =
            format!("{free_mib} MiB are free at {shown}, expected {min_free_mib} at the least");
        let mend =
            "make room or move data_dir: on a full disk no call is accepted and none is dialled";
        return Finding::fault(CHECK, found, mend);
    }
    if disk.f_files > 0 && disk.f_favail < 1_000 {
        let found = format!("{} inodes are free at {shown}", disk.f_favail);
        return Finding::fault(CHECK, found, "remove files: no new ones can be made");
    }
    Finding::ok(CHECK, format!("{free_mib} MiB are free at {shown}"))
}

//! Who types a command, for the audit log.

use crate::tdb::{Author, Via};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The user of this process. Not what its environment says, which anybody can set.
pub(super) fn of_command_line() -> Author {
    let uid = fs::metadata("/proc/self").map(|own| own.uid());
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let actor = match uid {
        Ok(uid) => name_of(uid, &users).unwrap_or_else(|| format!("uid {uid}")),
        Err(_) => "unknown".to_owned(),
    };
    Author {
        via: Via::CommandLine,
        actor,
        request_id: None,
    }
}

/// The user's name in `/etc/passwd`.
fn name_of(uid: u32, users: &str) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_by_name_and_one_without() {
        let users = "root:x:0:0::/root:/bin/sh\n\n#\nalice:x:1000:0::/:/bin/sh\n";
        assert_eq!(name_of(0, users).as_deref(), Some("root"));
        assert_eq!(name_of(1000, users).as_deref(), Some("alice"));
        assert_eq!(name_of(10, users), None);
        assert!(!of_command_line().actor.is_empty());
    }
}

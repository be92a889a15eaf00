//! Every test here and elsewhere that opens a TDB, once more on PostgreSQL: this binary runs itself with a
//! server's URL in its environment, and each test gets a database of its own there.

use crate::tdb::test_support::POSTGRES;
use crate::tdb::test_support::postgres::{For, Postgres};
use std::process::Command;

/// Where there are tests that open a TDB.
const OF_THE_TDB: [&str; 5] = [
    "tdb::tests::",
    "dispatcher::",
    "collector::",
    "router::",
    "license::",
];

#[test]
fn all_of_it_on_postgresql() {
    let Some(server) = Postgres::start(For::Tests) else {
        return;
    };
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this)
        .args(OF_THE_TDB)
        .args(["--skip", "all_of_it_on_postgresql"])
        .env(POSTGRES, server.url(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "on PostgreSQL:\n{said}");
    for of in ["requests", "transfers"] {
        assert!(said.contains(&format!("test tdb::tests::{of}::")), "{said}");
    }
}

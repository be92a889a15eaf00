//! What can be wrong with a database file, at start and while it is used.

use crate::tdb::test_support::*;
use crate::tdb::{Accepted, DatabaseUrl, Tdb, TdbError};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

async fn on_sqlite() -> (Tdb, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Tdb::open(&file(&dir)).await.unwrap(), dir)
}

fn file(dir: &TempDir) -> DatabaseUrl {
    DatabaseUrl::file(dir.path().join("iradialer.db"))
}

async fn refused(url: &DatabaseUrl) -> TdbError {
    match Tdb::open(url).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// Changes something of the writer's connection.
async fn tell_writer(tdb: &Tdb, pragma: &'static str) {
    let told = tdb.writer.write(move |connection| {
        Box::pin(async move {
            sqlx::query(pragma).execute(connection).await?;
            Ok(())
        })
    });
    told.await.unwrap();
}

/// Runs this test of this file again in a process that is held to the modes of files, as root is not; says
/// loudly where it can't.
fn again_without_roots_power(test: &str) {
    let in_child = |program: &std::ffi::OsStr| {
        let mut child = Command::new("setpriv");
        // What root gets at an exec is what the bounding set has.
        child.args(["--bounding-set", "-dac_override,-dac_read_search", "--"]);
        child.arg(program);
        child
    };
    let possible = in_child("true".as_ref()).output();
    if !possible.is_ok_and(|done| done.status.success()) {
        use std::io::Write;
        let line = b"SKIPPED: this user may write a read-only file, and can't give that up\n";
        std::io::stderr().write_all(line).unwrap();
        return;
    }
    // The path of a test begins after the crate's name.
    let (_, module) = module_path!().split_once("::").unwrap();
    let this = std::env::current_exe().unwrap();
    let done = in_child(this.as_os_str())
        .args([&format!("{module}::{test}"), "--exact", "--nocapture"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    let passed = done.status.success() && told.contains("1 passed");
    let errors = String::from_utf8_lossy(&done.stderr);
    // One that still may write it would come here again.
    assert!(passed && !errors.contains("SKIPPED"), "{told}{errors}");
}

#[tokio::test]
async fn a_file_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("iradialer.db");
    std::fs::write(&path, "a letter, and not a short one. ".repeat(100)).unwrap();
    let error = refused(&file(&dir)).await;
    assert!(matches!(error, TdbError::NotADatabase(_)), "{error}");
    assert!(error.to_string().contains("is no database"), "{error}");
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(kept.starts_with("a letter"), "it was changed");

    let missing = DatabaseUrl::file(dir.path().join("nowhere/iradialer.db"));
    let error = refused(&missing).await;
    assert!(matches!(error, TdbError::File(_)), "{error}");
}

#[tokio::test]
async fn one_that_may_not_be_written_is_named() {
    let (tdb, dir) = on_sqlite().await;
    tdb.close().await;
    let set_mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let path = dir.path().join("iradialer.db");
    set_mode(&path, 0o400);
    if std::fs::File::options().append(true).open(&path).is_ok() {
        return again_without_roots_power("one_that_may_not_be_written_is_named");
    }
    let error = refused(&file(&dir)).await;
    assert!(matches!(error, TdbError::ReadOnly(_)), "{error}");
    set_mode(&path, 0o600);
    set_mode(dir.path(), 0o500);
    let error = refused(&file(&dir)).await;
    assert!(matches!(error, TdbError::ReadOnly(_)), "{error}");
    set_mode(dir.path(), 0o700);
    Tdb::open(&file(&dir)).await.unwrap().close().await;
}

#[tokio::test]
async fn one_that_becomes_read_only_says_so_and_is_opened_anew() {
    let (tdb, _dir) = on_sqlite().await;
    tell_writer(&tdb, "PRAGMA query_only = 1").await;
    let error = tdb.accept(new_call()).await.unwrap_err();
    assert!(matches!(error, TdbError::ReadOnly(_)), "{error}");
    // By another connection, which was not told.
    assert_eq!(tdb.accept(new_call()).await.unwrap(), Accepted::New);
}

#[tokio::test]
async fn a_full_disk_says_so_and_takes_calls_again_once_there_is_room() {
    let (tdb, _dir) = on_sqlite().await;
    // As few pages as there are.
    tell_writer(&tdb, "PRAGMA max_page_count = 1").await;
    let mut accepted = 0;
    let error = loop {
        match tdb.accept(new_call()).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, TdbError::Full(_)), "{error}");
    assert!(error.to_string().contains("disk is full"), "{error}");
    tell_writer(&tdb, "PRAGMA max_page_count = 1073741823").await;
    assert_eq!(tdb.accept(new_call()).await.unwrap(), Accepted::New);
    assert_eq!(tdb.queue_length(1_000).await.unwrap(), accepted + 1);
}

#[tokio::test]
async fn one_that_another_holds_at_the_start_is_waited_for() {
    let (tdb, dir) = on_sqlite().await;
    let holds = tokio::spawn(async move {
        let write = tdb.writer.write(|connection| {
            Box::pin(async move {
                tokio::time::sleep(std::time::Duration::from_secs(7)).await;
                sqlx::query("SELECT 1").execute(connection).await?;
                Ok(())
            })
        });
        write.await
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let other = Tdb::open(&file(&dir)).await.unwrap();
    holds.await.unwrap().unwrap();
    assert_eq!(other.accept(new_call()).await.unwrap(), Accepted::New);
}

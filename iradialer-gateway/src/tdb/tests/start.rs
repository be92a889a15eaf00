//! Databases that this gateway must not touch, each named at start.

use crate::tdb::test_support::{connected, open, url_of};
use crate::tdb::{Tdb, TdbError, migrator};
use sqlx::Connection as _;

async fn opened_after(sql: &'static str) -> TdbError {
    let (tdb, dir) = open().await;
    tdb.close().await;
    let mut connection = connected(&dir).await;
    let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
    connection.close().await.unwrap();
    match Tdb::open(&url_of(&dir)).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn one_of_a_newer_version_is_not_opened() {
    let error = opened_after(
        "INSERT INTO _sqlx_migrations
             (version, description, success, checksum, execution_time)
         SELECT 99, 'of the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let said = error.to_string();
    let newest = migrator().iter().map(|migration| migration.version).max();
    let newest = newest.unwrap();
    assert!(
        matches!(error, TdbError::Newer { found: 99, known } if known == newest),
        "{said}"
    );
    let expected = format!("version 99, this gateway knows up to {newest}");
    assert!(said.contains(&expected), "{said}");
}

#[tokio::test]
async fn one_with_a_migration_applied_in_part_is_not_opened() {
    let error =
        opened_after("UPDATE _sqlx_migrations SET success = NOT success WHERE version = 2").await;
    let said = error.to_string();
    assert!(matches!(error, TdbError::HalfApplied(2)), "{said}");
    assert!(
        said.contains("version 2 was applied in part only"),
        "{said}"
    );
}

#[tokio::test]
async fn what_has_to_be_known_at_the_start_is_waited_for_and_a_mistake_is_not() {
    let mut reads = 0;
    let read = crate::tdb::at_start(async || {
        reads += 1;
        match reads {
            1 => Err(TdbError::Away("the server is starting up".to_owned())),
            _ => Ok(reads),
        }
    });
    assert_eq!(read.await.unwrap(), 2);
    let mut reads = 0;
    let mistake = crate::tdb::at_start(async || {
        reads += 1;
        Err::<(), _>(TdbError::NotADatabase("it begins with PNG".to_owned()))
    });
    mistake.await.unwrap_err();
    assert_eq!(reads, 1);
}

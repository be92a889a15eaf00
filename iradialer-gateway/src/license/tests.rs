//! The licence over time: what holds, what is warned of, and a clock that is set.

use super::shown::warnings;
use super::*;
use crate::config::{Secret, Sources};
use crate::tdb::test_support::{NOW, author, open};
use iradialer_core::license::SigningKey;
use tempfile::TempDir;
use uuid::Uuid;

const DAY_MS: u64 = 86_400_000;

struct Bench {
    key: SigningKey,
    config: Config,
    clock: Clock,
    tdb: Tdb,
    _dir: TempDir,
}

impl Bench {
    async fn new() -> Bench {
        let (tdb, dir) = open().await;
        let key = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        let mut config = Config::load(&Sources {
            data_dir: Some(dir.path().to_owned()),
            ..Sources::default()
        })
        .unwrap();
        config.license.public_keys = vec![key.public()];
        Bench {
            key,
            config,
            clock: Clock::manual(NOW),
            tdb,
            _dir: dir,
        }
    }

    /// What a process of this cluster knows at its start.
    async fn process(&self) -> Licensing {
        let licensing = Licensing::new(&self.config, self.clock.clone(), self.tdb.clone());
        licensing.refresh().await.unwrap();
        licensing
    }

    fn license(&self, serial: u64, days: u64) -> License {
        License {
            license_id: Uuid::new_v4(),
            serial,
            customer: "Acme".to_owned(),
            cluster: None,
            issued_s: NOW / 1_000,
            not_before_s: NOW / 1_000,
            expires_s: NOW / 1_000 + days * 86_400,
            limits: Limits {
                max_channels: 100,
                features: Features::NONE.with(Feature::Ivr),
                ..EVALUATION
            },
        }
    }

    fn token(&self, serial: u64, days: u64) -> String {
        license::issue(&self.license(serial, days), &self.key).unwrap()
    }
}

async fn install(licensing: &Licensing, token: &str) -> Result<bool, String> {
    let tenant = TenantId::parse("tenant_id", "cluster").unwrap();
    match licensing.install(token, tenant, author()).await {
        Ok(new) => Ok(new),
        Err(NotInstalled::Refused(why)) => Err(why.name().to_owned()),
        Err(NotInstalled::Tdb(error)) => panic!("{error}"),
    }
}

fn names(standing: &Standing) -> Vec<(&'static str, Option<u32>)> {
    let of = |warning: Warning| (warning.name, warning.days_left);
    warnings(standing).into_iter().map(of).collect()
}

#[tokio::test]
async fn from_evaluation_to_the_end_of_a_licence() {
    let bench = Bench::new().await;
    let licensing = bench.process().await;
    let standing = licensing.standing();
    assert_eq!(standing.state, State::Evaluation);
    assert_eq!(standing.limits, EVALUATION);
    assert_eq!(standing.allows(Features::ALL), Ok(()));
    assert_eq!(names(&standing), []);

    let token = bench.token(1, 40);
    assert_eq!(install(&licensing, &token).await, Ok(true));
    assert_eq!(install(&licensing, &token).await, Ok(false));
    let standing = licensing.standing();
    assert_eq!(
        (standing.state, standing.limits.max_channels),
        (State::Active, 100)
    );
    let refused = standing.allows(Features::ALL).unwrap_err();
    assert_eq!(refused.reason, "feature");
    assert_eq!(refused.message, "The licence does not allow recording");

    for (day, expected) in [
        (9, None),
        (10, Some(30)),
        (32, Some(30)),
        (33, Some(7)),
        (39, Some(1)),
    ] {
        bench.clock.set_wall(NOW + day * DAY_MS);
        let standing = licensing.standing();
        let expected: Vec<_> = expected
            .map(|days| ("expires_soon", Some(days)))
            .into_iter()
            .collect();
        assert_eq!(names(&standing), expected, "day {day}");
        assert!(standing.state.takes_calls());
    }
    bench.clock.set_wall(NOW + 40 * DAY_MS);
    let standing = licensing.standing();
    assert_eq!(standing.state, State::Expired);
    assert_eq!(names(&standing), [("expired", None)]);
    let refused = standing.allows(Features::NONE).unwrap_err();
    assert_eq!(refused.reason, "expired");
    // What is up goes on.
    assert_eq!(standing.allows_live(Features::NONE), Ok(()));
}

#[tokio::test]
async fn what_does_not_count_is_refused_with_the_reason() {
    let bench = Bench::new().await;
    let licensing = bench.process().await;
    let token = bench.token(5, 10);
    let other = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
    let elsewhere = License {
        cluster: Some(ClusterName::parse("cluster", "other").unwrap()),
        ..bench.license(5, 10)
    };
    let later = License {
        not_before_s: NOW / 1_000 + 60,
        ..bench.license(5, 10)
    };
    let over = License {
        not_before_s: NOW / 1_000 - 86_400,
        issued_s: NOW / 1_000 - 86_400,
        expires_s: NOW / 1_000,
        ..bench.license(5, 10)
    };
    let issue = |license, key| license::issue(&license, key).unwrap();
    for (token, why) in [
        (issue(bench.license(5, 10), &other), "wrong_key"),
        (issue(elsewhere, &bench.key), "other_cluster"),
        (issue(later, &bench.key), "not_yet_valid"),
        (issue(over, &bench.key), "expired"),
        (token.replacen("IRA1.e", "IRA1.f", 1), "changed"),
        ("hello".to_owned(), "not_a_license"),
    ] {
        assert_eq!(install(&licensing, &token).await, Err(why.to_owned()));
        assert_eq!(licensing.standing().state, State::Evaluation);
    }
    assert_eq!(install(&licensing, &token).await, Ok(true));
    // Older ones, and others of the same serial: also to another process, which has seen nothing of this.
    let again = bench.process().await;
    for serial in [1, 4, 5] {
        let older = bench.token(serial, 400);
        for process in [&licensing, &again] {
            assert_eq!(install(process, &older).await, Err("older".to_owned()));
            let refused = process.check(&older).await.unwrap_err();
            assert!(refused.to_string().contains("5 was"), "{refused}");
        }
    }
    assert!(licensing.check(&token).await.is_ok());
    assert_eq!(install(&again, &bench.token(6, 400)).await, Ok(true));
    assert_eq!(install(&licensing, &token).await, Err("older".to_owned()));
}

async fn note_time(bench: &Bench, standing: &Standing) {
    let noted = bench.tdb.note_time(standing.judged_ms, standing.place);
    noted.await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_back_wins_no_time() {
    let bench = Bench::new().await;
    let licensing = bench.process().await;
    install(&licensing, &bench.token(1, 10)).await.unwrap();
    bench.clock.advance(9 * DAY_MS);
    let standing = licensing.standing();
    assert_eq!(standing.state, State::Active);
    note_time(&bench, &standing).await;
    // By little: it was only put right.
    bench.clock.set_wall(NOW + 9 * DAY_MS - 120_000);
    licensing.refresh().await.unwrap();
    assert_eq!(licensing.standing().set_back_ms, None);
    bench.clock.set_wall(NOW);
    for licensing in [licensing, bench.process().await] {
        let standing = licensing.standing();
        assert_eq!(standing.set_back_ms, Some(9 * DAY_MS));
        assert_eq!(standing.judged_ms, NOW + 9 * DAY_MS);
        assert!(names(&standing).contains(&("clock_set_back", None)));
    }
    // And it goes on from there.
    let licensing = bench.process().await;
    bench.clock.advance(DAY_MS);
    assert_eq!(licensing.standing().state, State::Expired);
    let years_ahead = licensing.standing();
    note_time(&bench, &years_ahead).await;
    assert_eq!(bench.process().await.standing().state, State::Expired);
    // The next licence starts time anew, whoever judges by the one before for a moment longer.
    assert_eq!(install(&licensing, &bench.token(2, 400)).await, Ok(true));
    note_time(&bench, &years_ahead).await;
    licensing.refresh().await.unwrap();
    let standing = licensing.standing();
    assert_eq!(
        (standing.state, standing.set_back_ms),
        (State::Active, None)
    );
}

#[tokio::test]
async fn without_its_key_a_licence_counts_no_more() {
    let mut bench = Bench::new().await;
    install(&bench.process().await, &bench.token(1, 10))
        .await
        .unwrap();
    bench.config.license.public_keys.clear();
    let standing = bench.process().await.standing();
    assert_eq!(standing.state, State::Evaluation);
    assert_eq!(names(&standing)[0].0, "not_counted");
    assert_eq!(standing.limits, EVALUATION);
}

#[tokio::test]
async fn each_warning_is_told_once_in_the_whole_cluster() {
    let bench = Bench::new().await;
    let (tdb, id) = (&bench.tdb, || "an-id".to_owned());
    for (days, is_first) in [
        (30, true),
        (30, false),
        (7, true),
        (30, false),
        (1, true),
        (0, true),
        (0, false),
    ] {
        assert_eq!(
            tdb.tell_of_license(id(), days, NOW).await.unwrap(),
            is_first,
            "{days}"
        );
    }
    // Whoever was away is told of the nearest only.
    let other = || "another".to_owned();
    assert!(tdb.tell_of_license(other(), 1, NOW).await.unwrap());
    assert!(!tdb.tell_of_license(other(), 30, NOW).await.unwrap());
}

#[tokio::test]
async fn a_file_is_installed_and_why_not_is_said() {
    let mut bench = Bench::new().await;
    let file = bench._dir.path().join("license");
    std::fs::write(&file, format!("{}\n", bench.token(3, 10))).unwrap();
    bench.config.license.file = Some(file.clone());
    let app = crate::app::App {
        catalogues: crate::catalogue::Catalogues::new(Arc::clone(&bench.config.catalogue)),
        license: bench.process().await,
        config: Arc::new(bench.config.clone()),
        clock: bench.clock.clone(),
        tdb: bench.tdb.clone(),
        wake: Default::default(),
        switches: Arc::new(crate::dispatcher::tests::NoSwitches),
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=");
    let mut keeper = Keeper::new(app.clone(), &secret).unwrap();
    keeper.look().await.unwrap();
    assert_eq!(app.license.standing().state, State::Active);
    for (text, says) in [
        (bench.token(2, 100), "it is older"),
        ("x".to_owned(), "it is no licence"),
        ("x".repeat(20_000), "at most 16384 bytes"),
    ] {
        std::fs::write(&file, text).unwrap();
        keeper.look().await.unwrap();
        let standing = app.license.standing();
        let refused = standing.file_refused.unwrap();
        assert!(refused.contains(says), "{refused}");
        assert_eq!(standing.license.unwrap().0.license.serial, 3);
    }
    std::fs::write(&file, bench.token(4, 100)).unwrap();
    keeper.look().await.unwrap();
    let standing = app.license.standing();
    assert_eq!(standing.file_refused, None);
    assert_eq!(standing.license.unwrap().0.license.serial, 4);
    let filter = crate::tdb::AuditFilter {
        limit: 10,
        ..Default::default()
    };
    let entries = bench.tdb.audit(&filter).await.unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].action, "license.install");
    assert_eq!(entries[0].became.as_ref().unwrap()["serial"], 4);
}

use super::test_server::{Says, TestServer};
use super::*;
use iradialer_core::address::AddressRange;

fn client(allowed: &[&str]) -> Http {
    let ranges = allowed
        .iter()
        .map(|range| AddressRange::parse(range).unwrap());
    Http::new(Guard::new(ranges.collect()))
}

async fn post(http: &Http, url: &str) -> Result<(u16, Vec<u8>), HttpError> {
    let within = Duration::from_secs(2);
    http.post(url, "{}".into(), 65_536, within).await
}

#[tokio::test]
async fn an_answer_comes_with_its_status() {
    let server = TestServer::start(|_| Says::Answer(201, "", b"{\"a\": 1}".to_vec()));
    let answer = post(&client(&["127.0.0.0/8"]), &server.url("/a?b=c")).await;
    assert_eq!(answer, Ok((201, b"{\"a\": 1}".to_vec())));
    let asked = server.asked();
    assert_eq!((asked.len(), asked[0].path.as_str()), (1, "/a?b=c"));
    assert!(asked[0].head.contains("content-type: application/json"));
    assert_eq!(asked[0].body, "{}");
}

#[tokio::test]
async fn what_only_this_switch_can_reach_is_out_of_bounds() {
    let server = TestServer::start(|_| Says::Answer(200, "", Vec::new()));
    let port = server.url("").rsplit_once(':').unwrap().1.to_owned();
    for url in [
        server.url("/"),
        format!("http://localhost:{port}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://[fd00:ec2::254]/".to_owned(),
        "http://2130706433/".to_owned(),
    ] {
        match post(&client(&[]), &url).await {
            Err(HttpError::Refused(why)) => {
                assert!(why.contains("listed in url-allow"), "{url}: {why}");
            }
            other => panic!("{url}: {other:?}"),
        }
    }
    assert!(server.asked().is_empty());
    let listed = client(&["127.0.0.0/8", "::1"]);
    assert!(
        post(&listed, &format!("http://localhost:{port}/"))
            .await
            .is_ok()
    );
    listed.guard().allow(Vec::new());
    assert!(post(&listed, &server.url("/")).await.is_err());
}

#[tokio::test]
async fn servers_that_misbehave_are_told_by_what_they_do() {
    let server = TestServer::start(|asked| match asked.path.as_str() {
        "/hangs" => Says::Nothing,
        "/moved" => Says::Answer(302, "location: /elsewhere", Vec::new()),
        "/long" => Says::Answer(200, "", vec![b'x'; 5 << 20]),
        _ => Says::Flood(5 << 20),
    });
    let http = client(&["127.0.0.1"]);
    for (path, expected) in [
        ("/hangs", "no whole answer within 2000 ms"),
        ("/moved", "status 302: a redirect is not followed"),
        ("/long", "expected at most 65536 bytes, got 5242880"),
        ("/flood", "expected at most 65536 bytes, got "),
    ] {
        let error = post(&http, &server.url(path))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{path}: {error}");
    }
    assert_eq!(server.asked().len(), 4, "no redirect is followed");
    let url = server.url("/");
    drop(server);
    assert!(matches!(
        post(&http, &url).await,
        Err(HttpError::Unreachable(_))
    ));
    assert!(matches!(
        post(&http, "no address").await,
        Err(HttpError::Refused(_))
    ));
}

#[tokio::test]
async fn a_server_that_is_slow_holds_up_no_other() {
    let slow = TestServer::start(|_| Says::Nothing);
    let quick = TestServer::start(|_| Says::Answer(200, "", b"here".to_vec()));
    let http = Arc::new(client(&["127.0.0.1"]));
    let get = |url: String| {
        let http = http.clone();
        async move {
            let within = Duration::from_secs(5);
            http.get(&url, HeaderMap::new(), within).await.map(drop)
        }
    };
    let waiting: Vec<_> = (0..20).map(|_| tokio::spawn(get(slow.url("/")))).collect();
    while slow.asked().len() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    get(quick.url("/")).await.unwrap();
    assert_eq!(slow.asked().len(), 4, "each server has its bound");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

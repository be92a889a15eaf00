//! What lies around the answers: entity tags, compression, other origins.

use crate::flows::{flow, hangs_up, put};
use crate::gateway::{CONFIG, Gateway, Site, send};
use crate::tokens::call;
use reqwest::{Method, RequestBuilder, Response};

fn get(gateway: &Gateway, token: &str, path: &str) -> RequestBuilder {
    gateway
        .client
        .get(format!("{}{path}", gateway.url))
        .bearer_auth(token)
}

fn header<'r>(answer: &'r Response, name: &str) -> &'r str {
    answer
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn who_has_it_already_is_told_so() {
    let (gateway, token) = Gateway::start().await;
    let hello = flow("hello", "a.wav", hangs_up());
    assert_eq!(put(&gateway, &token, "hello", &hello).await.status, 201);
    for path in [
        "/api/flows",
        "/api/flows/hello",
        "/api/campaigns",
        "/api/trunks",
        "/api/openapi.json",
        "/api/docs",
    ] {
        let first = get(&gateway, &token, path).send().await.unwrap();
        assert_eq!(first.status(), 200, "{path}");
        let tag = header(&first, "etag").to_owned();
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        let again = get(&gateway, &token, path).header("if-none-match", &tag);
        let again = again.send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
        assert_eq!(header(&again, "etag"), tag);
        assert!(!header(&again, "x-request-id").is_empty());
        assert!(again.bytes().await.unwrap().is_empty());
    }
    let path = "/api/flows/hello";
    let tag = get(&gateway, &token, path).send().await.unwrap();
    let tag = header(&tag, "etag").to_owned();
    put(
        &gateway,
        &token,
        "hello",
        &flow("hello", "b.wav", hangs_up()),
    )
    .await;
    let changed = get(&gateway, &token, path).header("if-none-match", &tag);
    assert_eq!(changed.send().await.unwrap().status(), 200);
    // It is no way round a token.
    let stranger = gateway.client.get(format!("{}{path}", gateway.url));
    let refused = send(stranger.header("if-none-match", &tag)).await;
    assert_eq!(refused.status, 401);
}

#[tokio::test]
async fn long_answers_are_compressed_where_that_is_asked_for() {
    let (gateway, token) = Gateway::start().await;
    for _ in 0..20 {
        gateway.make_call(&token, &call()).await;
    }
    let plain = get(&gateway, &token, "/api/calls").send().await.unwrap();
    assert_eq!(header(&plain, "content-encoding"), "");
    let plain = plain.bytes().await.unwrap();
    let asked = get(&gateway, &token, "/api/calls").header("accept-encoding", "gzip");
    let packed = asked.send().await.unwrap();
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert!(header(&packed, "vary").contains("accept-encoding"));
    let packed = packed.bytes().await.unwrap();
    assert!(
        packed.len() * 3 < plain.len(),
        "{} of {}",
        packed.len(),
        plain.len()
    );
    // Short ones and streams are not.
    for path in ["/healthz", "/api/dnc", "/api/stream"] {
        let asked = get(&gateway, &token, path).header("accept-encoding", "gzip");
        let answer = asked.send().await.unwrap();
        assert_eq!(header(&answer, "content-encoding"), "", "{path}");
    }
    // What comes compressed is not unpacked.
    let bomb = gateway.request("/api/makecall", packed).bearer_auth(&token);
    let refused = send(bomb.header("content-encoding", "gzip")).await;
    assert_eq!(refused.status, 415, "{refused:?}");
    assert_eq!(refused.body["error"]["name"], "encoded");
    assert_eq!(refused.body["error"]["field"], "content-encoding");
}

#[tokio::test]
async fn other_origins_get_in_where_they_are_listed() {
    let ask = async |gateway: &Gateway, method: Method, origin: &str| {
        let request = gateway
            .client
            .request(method, format!("{}/api/makecall", gateway.url));
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            );
        request.send().await.unwrap()
    };
    let (gateway, _) = Gateway::start().await;
    let desk = "https://desk.example";
    for method in [Method::OPTIONS, Method::POST] {
        let answer = ask(&gateway, method, desk).await;
        assert!(!answer.status().is_success());
        assert_eq!(header(&answer, "access-control-allow-origin"), "");
    }
    let listed = format!("[web]\ncors_origins = [\"{desk}\"]\nlisten = \"127.0.0.1:0\"");
    let site = Site::new(&CONFIG.replace("[web]\nlisten = \"127.0.0.1:0\"", &listed));
    let gateway = site.start().await;
    let before = ask(&gateway, Method::OPTIONS, desk).await;
    assert_eq!(before.status(), 200);
    assert_eq!(header(&before, "access-control-allow-origin"), desk);
    assert!(header(&before, "access-control-allow-headers").contains("authorization"));
    let refused = ask(&gateway, Method::POST, desk).await;
    assert_eq!(refused.status(), 401);
    assert_eq!(header(&refused, "access-control-allow-origin"), desk);
    let other = ask(&gateway, Method::OPTIONS, "https://evil.example").await;
    assert_eq!(header(&other, "access-control-allow-origin"), "");
}

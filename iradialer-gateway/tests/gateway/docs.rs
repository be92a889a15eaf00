//! The page that shows the API, as a browser sees it. Where there is no Chromium what it draws can't be looked at, and
//! the test says so.

use crate::described::described;
use crate::gateway::{Gateway, PATIENCE};
use serde_json::Value;
use std::path::Path;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
async fn the_page_and_its_parts_are_served_and_let_nothing_else_in() {
    let (gateway, _) = Gateway::start().await;
    for (path, kind) in [
        ("/api/docs", "text/html"),
        ("/api/docs/page.css", "text/css"),
        ("/api/docs/page.js", "text/javascript"),
    ] {
        let url = format!("{}{path}", gateway.url);
        let answer = gateway.client.get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{path}");
        assert!(header("content-security-policy").starts_with("default-src 'none';"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        let text = answer.text().await.unwrap();
        for elsewhere in ["http://", "https://", "//cdn", "@import"] {
            assert!(!text.contains(elsewhere), "{path}: {elsewhere}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_draws_every_path_and_asks_nobody_else() {
    let Some(browser) = browser() else {
        eprintln!("SKIPPED: there is no Chromium on this machine (apt-get install chromium)");
        return;
    };
    let (gateway, _) = Gateway::start().await;
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("docs.png");
    let page = format!("{}/api/docs", gateway.url);
    let dom = browse(browser, dir.path(), &page, &["--dump-dom".to_owned()]).await;
    let url = gateway.url.parse().unwrap();
    let described = described(&gateway.client, &url).await;
    assert!(dom.contains("data-drawn=\"yes\""), "{dom}");
    for (method, path, operation) in described.operations() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(
            dom.contains(&format!("<section id=\"{id}\">")),
            "{method} {path}"
        );
        assert!(
            dom.contains(&format!("<span class=\"path\">{path}</span>")),
            "{path}"
        );
    }

    let shot = format!("--screenshot={}", picture.display());
    browse(browser, dir.path(), &page, &[shot]).await;
    let taken = std::fs::read(&picture).unwrap();
    assert!(taken.starts_with(b"\x89PNG"));
    // A page without anything on it is a few KiB.
    assert!(taken.len() > 40_000, "{} bytes", taken.len());
    if let Ok(kept) = std::env::var("IRADIALER_DOCS_PICTURE") {
        std::fs::copy(&picture, kept).unwrap();
    }

    let log = std::fs::read(dir.path().join("net.json")).unwrap();
    let asked = asked(&log, &gateway.url);
    assert!(
        asked.iter().any(|url| url.ends_with("/api/openapi.json")),
        "{asked:?}"
    );
    for url in asked {
        assert!(url.starts_with(&gateway.url), "it asked {url}");
    }
}

fn browser() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let is_there = |name: &&str| folders.iter().any(|folder| folder.join(name).exists());
    names.into_iter().find(is_there)
}

/// Opens the page as these options say, and notes in `net.json` whom the browser asks.
async fn browse(browser: &str, dir: &Path, page: &str, options: &[String]) -> String {
    let log = format!("--log-net-log={}", dir.join("net.json").display());
    let profile = format!("--user-data-dir={}", dir.join("profile").display());
    let mut command = Command::new(browser);
    command
        // Its sandbox is not to be had as root, and what it opens is our own.
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--ignore-certificate-errors",
            "--hide-scrollbars",
            "--window-size=1280,1600",
        ])
        .args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-sync",
        ])
        .args([
            // It asks its maker for the time of its own accord.
            "--disable-features=NetworkTimeServiceQuerying",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--disable-component-update",
            "--disable-default-apps",
            "--no-proxy-server",
        ])
        .args([
            "--virtual-time-budget=10000",
            "--net-log-capture-mode=Everything",
        ])
        .args([&log, &profile])
        .args(options)
        .arg(page)
        .env("HOME", dir)
        .kill_on_drop(true);
    let output = timeout(3 * PATIENCE, command.output()).await;
    let output = output.expect("the browser does not end").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The addresses that the page's requests went to; the browser has others of its own.
fn asked(log: &[u8], page: &str) -> Vec<String> {
    let log: Value = serde_json::from_slice(log).unwrap();
    let kind = &log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"];
    assert!(kind.is_number(), "the browser's log has another form");
    let events = log["events"].as_array().unwrap().iter();
    let of_page = events.filter(|event| {
        let by = event["params"]["initiator"].as_str();
        event["type"] == *kind && by.is_some_and(|by| by.trim_end_matches('/') == page)
    });
    let urls = of_page.filter_map(|event| event["params"]["url"].as_str());
    urls.map(str::to_owned).collect()
}

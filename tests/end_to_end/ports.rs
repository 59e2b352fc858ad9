//! Every port refuses foreign hosts and foreign origins. `monitor.rs` has the paths of the main port.

use entity_stream_local::{API_KEYS_TABLE, Access, Config};
use serde_json::json;

use crate::harness::{Answer, System, config, request};

const SIGNED: [(&str, &str); 4] = [
    ("content-type", "application/x-amz-json-1.0"),
    ("x-amz-target", "DynamoDB_20120810.PutItem"),
    ("x-amz-date", "20260102T030405Z"),
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=a/20260102/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=b",
    ),
];

/// A page that writes itself an API key.
async fn write_a_key(system: &System, headers: &[(&str, &str)]) -> Answer {
    let item = json!({ "keyName": { "S": "mine" }, "role": { "S": "super_admin" } });
    let body = json!({ "TableName": API_KEYS_TABLE, "Item": item }).to_string();
    request("POST", &system.local.dynamodb_url(), &[headers, &SIGNED].concat(), body).await
}

async fn keys(system: &System) -> usize {
    let client = aws_sdk_dynamodb::Client::new(&entity_stream_local::aws_config(&system.local.dynamodb_url()));
    client.scan().table_name(API_KEYS_TABLE).send().await.unwrap().items().len()
}

async fn preflight(url: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-amz-target"),
    ];
    request("OPTIONS", url, &headers, "").await
}

#[tokio::test]
async fn a_foreign_page_cannot_use_the_table() {
    let system = System::start().await;
    let url = system.local.dynamodb_url();
    let port = url.rsplit(':').next().unwrap();
    let rebound = format!("attacker.example:{port}");
    let foreign: [(&[(&str, &str)], &str); 4] = [
        (&[("origin", "https://attacker.example")], "--allow-origin https://attacker.example"),
        (&[("origin", "null")], "--allow-origin null"),
        (&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], "--allow-origin"),
        (&[("host", &rebound)], "--allow-host"),
    ];
    for (headers, option) in foreign {
        for answer in [write_a_key(&system, headers).await, request("GET", &url, headers, "").await] {
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None), "{headers:?}");
            assert!(answer.text().contains(option), "{headers:?}: {}", answer.text());
        }
    }
    let asked = preflight(&url, "https://attacker.example").await;
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (403, None));
    assert_eq!(keys(&system).await, 0, "nothing was written");
}

#[tokio::test]
async fn pages_of_this_machine_may_use_every_port() {
    let system = System::start().await;
    for url in [system.local.dynamodb_url(), system.local.http_url()] {
        let origin = "http://localhost:5173";
        let asked = preflight(&url, origin).await;
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, Some(origin)), "{url}");
        assert_eq!(asked.header("access-control-allow-headers"), Some("x-amz-target"));
    }
    let written = write_a_key(&system, &[("origin", "http://127.0.0.1:8080")]).await;
    assert_eq!((written.status, written.header("access-control-allow-origin")), (200, Some("http://127.0.0.1:8080")));
    assert_eq!(keys(&system).await, 1);
}

#[tokio::test]
async fn options_allow_further_hosts_and_origins() {
    let access = Access {
        hosts: vec!["entity-stream".parse().unwrap()],
        origins: vec!["null".parse().unwrap(), "https://*.example.com".parse().unwrap()],
    };
    let system = System::start_with(Config { access, ..config() }).await;
    for headers in [
        [("host", "entity-stream:8000"), ("accept", "*/*")],
        [("host", "host.docker.internal:8000"), ("accept", "*/*")],
        [("host", "localhost"), ("origin", "null")],
        [("host", "entity-stream"), ("origin", "https://app.example.com")],
    ] {
        for url in [system.local.dynamodb_url(), format!("{}/_local/health", system.local.http_url())] {
            assert_eq!(request("GET", &url, &headers, "").await.status, 200, "{url} {headers:?}");
        }
    }
    let other = [("host", "other:8000")];
    assert_eq!(request("GET", &system.local.dynamodb_url(), &other, "").await.status, 403);
}

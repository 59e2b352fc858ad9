//! The `@connections` API, through the AWS SDK and through plain HTTP.

use aws_sdk_apigatewaymanagement::Client as Sdk;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use entity_stream_local::{Config, aws_config};
use serde_json::{Value, json};

use crate::harness::raw::{HANDSHAKE, Raw};
use crate::harness::{Answer, Client, System, config, request};

fn sdk(system: &System, stage: &str) -> Sdk {
    Sdk::new(&aws_config(&format!("{}{stage}", system.local.http_url())))
}

async fn connection(system: &System) -> (Client, String) {
    let headers = [("user-agent", "probe/1.0")];
    let client = Client::connect(&system.url("tenant=demo"), &headers).await.unwrap();
    (client, system.only_connection().await.to_string())
}

#[tokio::test]
async fn the_sdk_posts_looks_and_closes() {
    let system = System::start().await;
    let (mut client, id) = connection(&system).await;
    for stage in ["", "/local"] {
        let api = sdk(&system, stage);
        api.post_to_connection().connection_id(&id).data(Blob::new("hello")).send().await.unwrap();
        assert_eq!(client.text().await, "hello");
        let seen = api.get_connection().connection_id(&id).send().await.unwrap();
        let identity = seen.identity().unwrap();
        assert_eq!((identity.source_ip(), identity.user_agent()), (Some("127.0.0.1"), Some("probe/1.0")));
        assert!(seen.last_active_at().unwrap() >= seen.connected_at().unwrap());
    }
    let api = sdk(&system, "/local");
    api.delete_connection().connection_id(&id).send().await.unwrap();
    assert_eq!(client.closed().await.0, 1000);
    system.until_no_connection_is_registered().await;
    let gone = api.post_to_connection().connection_id(&id).data(Blob::new("late")).send().await.unwrap_err();
    assert!(gone.into_service_error().is_gone_exception());
    let gone = api.get_connection().connection_id(&id).send().await.unwrap_err();
    assert!(gone.into_service_error().is_gone_exception());
    let gone = api.delete_connection().connection_id(&id).send().await.unwrap_err();
    assert!(gone.into_service_error().is_gone_exception());
}

#[tokio::test]
async fn answers_have_api_gateways_form() {
    let system = System::start().await;
    let (mut client, id) = connection(&system).await;
    let base = system.local.http_url();
    let plain = id.clone();
    let encoded = id.replace('=', "%3D");
    for path in [
        format!("/@connections/{plain}"),
        format!("/local/@connections/{encoded}"),
        format!("/%40connections/{encoded}"),
    ] {
        let posted = request("POST", &format!("{base}{path}"), &[], "x").await;
        assert_eq!((posted.status, posted.text()), (200, ""), "{path}");
        assert_eq!(posted.header("content-type"), Some("application/json"));
        assert!(posted.header("x-amzn-requestid").is_some() && posted.header("x-amz-apigw-id").is_some());
        assert_eq!(client.text().await, "x");
    }
    let seen = request("GET", &format!("{base}/@connections/{id}"), &[], "").await;
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["identity"], json!({ "sourceIp": "127.0.0.1", "userAgent": "probe/1.0" }));
    for field in ["connectedAt", "lastActiveAt"] {
        let time = body[field].as_str().unwrap();
        let form = time.replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(form, "0000-00-00T00:00:00.000Z", "{field} is in ISO 8601 with milliseconds: {time}");
    }
}

#[tokio::test]
async fn refusals_have_a_status_a_type_and_a_body() {
    let system = System::start().await;
    let (_client, id) = connection(&system).await;
    let base = system.local.http_url();
    let too_large = "x".repeat(128 * 1024 + 1);
    let cases = [
        ("POST", "/@connections/XyZ12cdeIAMCJ1g=".to_owned(), "x", 410, "GoneException", ""),
        ("GET", "/local/@connections/XyZ12cdeIAMCJ1g%3D".to_owned(), "", 410, "GoneException", ""),
        ("DELETE", "/@connections/AAAAAAAAAAAAAAB=".to_owned(), "", 410, "GoneException", ""),
        (
            "GET",
            "/@connections/c2hvcnQ=".to_owned(),
            "",
            400,
            "BadRequestException",
            r#"{"message":"Invalid connectionId: c2hvcnQ="}"#,
        ),
        (
            "POST",
            "/@connections/nonsense!".to_owned(),
            "x",
            400,
            "BadRequestException",
            r#"{"message":"Invalid connectionId: nonsense!"}"#,
        ),
        ("POST", format!("/prod/@connections/{id}"), "x", 403, "ForbiddenException", r#"{"message":"Forbidden"}"#),
        (
            "POST",
            format!("/@connections/{id}"),
            &too_large,
            413,
            "PayloadTooLargeException",
            r#"{"message":"The message is larger than 128 KB"}"#,
        ),
        ("PUT", format!("/@connections/{id}"), "", 403, "ForbiddenException", r#"{"message":"Forbidden"}"#),
    ];
    for (method, path, body, status, error_type, expected) in cases {
        let answer = request(method, &format!("{base}{path}"), &[], body.to_owned()).await;
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (status, Some(error_type)), "{method} {path}");
        assert_eq!(answer.text(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn the_largest_message_arrives_whole() {
    let system = System::start().await;
    let (mut client, id) = connection(&system).await;
    let largest = "é".repeat(64 * 1024);
    let api = sdk(&system, "");
    api.post_to_connection().connection_id(&id).data(Blob::new(largest.clone())).send().await.unwrap();
    assert!(client.text().await == largest, "the client gets frames of 32 KB, cut inside characters");
}

#[tokio::test]
async fn a_message_goes_out_in_frames_of_32_kb() {
    let system = System::start().await;
    let mut client = Raw::connect(&system, &HANDSHAKE).await;
    let id = system.only_connection().await;
    let url = format!("{}/@connections/{id}", system.local.http_url());
    let largest: String = (0..16 * 1024).map(|n| format!("{:08}", n % 1000)).collect();
    for (message, frames) in [("x".repeat(32 * 1024), 1), ("x".repeat(32 * 1024 + 1), 2), (largest, 4)] {
        assert_eq!(request("POST", &url, &[], message.clone()).await.status, 200);
        let mut received = Vec::new();
        for n in 1..=frames {
            let frame = client.frame().await;
            assert!(frame.payload.len() <= 32 * 1024);
            assert_eq!(
                (frame.opcode, frame.last),
                (u8::from(n == 1), n == frames),
                "one text frame, then continuations"
            );
            received.extend(frame.payload);
        }
        assert!(received == message.as_bytes());
    }
}

/// Posts to a client that does not read, until a post is refused. Returns the number of accepted messages, and the refusal.
async fn fill(url: &str, message: &str) -> (usize, Answer) {
    let mut taken = 0;
    loop {
        let answer = request("POST", url, &[], message.to_owned()).await;
        if answer.status != 200 {
            return (taken, answer);
        }
        taken += 1;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_throttled_and_stays_connected() {
    let system = System::start().await;
    let (mut client, id) = connection(&system).await;
    let message = "x".repeat(128 * 1024);
    let (taken, throttled) = fill(&format!("{}/@connections/{id}", system.local.http_url()), &message).await;
    assert_eq!((throttled.status, throttled.header("x-amzn-errortype")), (429, Some("LimitExceededException")));
    for _ in 0..taken {
        assert_eq!(client.text().await.len(), message.len(), "accepted messages are delivered");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_can_be_closed() {
    let system = System::start().await;
    let (_client, id) = connection(&system).await;
    let url = format!("{}/@connections/{id}", system.local.http_url());
    fill(&url, &"x".repeat(128 * 1024)).await;
    assert_eq!(request("DELETE", &url, &[], "").await.status, 204);
    for method in ["DELETE", "GET", "POST"] {
        assert_eq!(request(method, &url, &[], "").await.status, 410, "{method}: the connection is closed");
    }
    system.until_no_connection_is_registered().await;
}

#[tokio::test]
async fn messages_posted_before_a_close_arrive_if_the_client_reads() {
    let system = System::start().await;
    let (mut client, id) = connection(&system).await;
    let url = format!("{}/@connections/{id}", system.local.http_url());
    for n in 0..100 {
        assert_eq!(request("POST", &url, &[], n.to_string()).await.status, 200);
    }
    assert_eq!(request("DELETE", &url, &[], "").await.status, 204);
    for n in 0..100 {
        assert_eq!(client.text().await, n.to_string());
    }
    assert_eq!(client.closed_at_once().await.0, 1000);
}

#[tokio::test]
async fn when_the_system_stops_clients_that_do_not_read_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path().join("table.db"));
    let system = System::start_with(Config { data: data.clone(), ..config() }).await;
    let (_client, id) = connection(&system).await;
    fill(&format!("{}/@connections/{id}", system.local.http_url()), &"x".repeat(128 * 1024)).await;
    system.local.shutdown().await;
    let system = System::start_with(Config { data, ..config() }).await;
    assert!(system.items().await.is_empty(), "$disconnect ran");
}

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::http::StatusCode;

use crate::harness::{closed_port, listen, run, run_with, start, start_with, system};
use crate::server::WebSocketServer;

fn event(id: &str) -> String {
    json!({ "type": "entityUpdated", "id": id, "tenant": "demo", "servicePath": "/", "entityId": "urn:1",
        "entityType": "Room", "data": { "co2": 1 }, "timestamp": "2026-01-02T03:04:05Z" })
    .to_string()
}

#[tokio::test]
async fn prints_events_byte_for_byte_and_ends_after_the_count() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--output", "json", "--count", "1"]).await;
    let data = r#"{"b": 1.0, "a":12345678901234567890123,  "e":1E5}"#;
    let line = format!(r#"{{"type":"entityCreated","entityId":"urn:1","entityType":["A","B"],"data":{data}}}"#);
    let args = ["publish", "demo", "--file", "-", "--endpoint-url", &system.http_url()];
    assert_eq!(run_with(&args, &[], &line).await.code, Some(0));
    let printed = listener.line().await;
    assert!(printed.contains(&format!(r#","entityType":["A","B"],"data":{data},"#)), "{printed}");
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn events_of_the_tenant_that_match_the_filter_are_printed() {
    let system = system().await;
    let filter = ["--entity-type", "Room", "--entity-type", "a,b", "--id-pattern", "^urn:[12]$", "--count", "2"];
    let mut listener = listen(&system, "demo", &filter).await;
    let http = system.http_url();
    let publish = async |tenant: &str, entity_type: &str, id: &str| {
        let kind = ["publish", tenant, "--type", "entityDeleted", "--entity-type", entity_type];
        let ended = run(&[&kind[..], &["--entity-id", id, "--endpoint-url", &http]].concat()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.starts_with("published as "), "{ended:?}");
    };
    publish("other", "Room", "urn:1").await;
    publish("demo", "Sensor", "urn:1").await;
    publish("demo", "Room", "urn:3").await;
    publish("demo", "Room", "urn:1").await;
    assert!(listener.line().await.ends_with("deleted Room urn:1"));
    publish("demo", "a,b", "urn:2").await;
    assert!(listener.line().await.ends_with("deleted a,b urn:2"));
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn wraps_in_cloud_events_on_request() {
    let system = system().await;
    let more = ["--format", "cloudevents", "--output", "json", "--count", "1"];
    let mut listener = listen(&system, "demo", &more).await;
    let args = ["simulate", "demo", "--count", "1", "--endpoint-url", &system.http_url()];
    assert_eq!(run(&args).await.code, Some(0));
    let printed: Value = serde_json::from_str(&listener.line().await).unwrap();
    assert_eq!((&printed["specversion"], &printed["source"]), (&json!("1.0"), &json!("/tenants/demo")));
}

#[tokio::test]
async fn subscribes_and_shows_its_token_to_the_server_alone() {
    let server = WebSocketServer::start().await;
    let args =
        ["listen", "Demo", "--url", &server.url, "--entity-type", "Room", "--id-pattern", "^urn", "--count", "1"];
    let environment = [("ENTITY_STREAM_TOKEN", "eyJsecret"), ("RUST_LOG", "trace")];
    let (ended, ()) = tokio::join!(run_with(&args, &environment, ""), async {
        let mut client = server.accept().await;
        assert_eq!(client.uri, "/?tenant=demo&batch=true&entityTypes=Room&idPattern=%5Eurn");
        assert_eq!(client.headers["authorization"], "Bearer eyJsecret");
        assert!(client.headers["user-agent"].to_str().unwrap().starts_with("entity-stream/"));
        let subscribe = client.subscribed().await;
        assert_eq!(subscribe["action"], "subscribe");
        assert_eq!((&subscribe["entityTypes"], &subscribe["idPattern"]), (&json!(["Room"]), &json!("^urn")));
        client.send(&event("1")).await;
        assert!(client.closed().await, "it closes the connection in order");
    });
    assert_eq!(ended.code, Some(0));
    assert!(!format!("{ended:?}").contains("eyJsecret"));
}

#[tokio::test]
async fn connects_again_and_prints_a_repeated_event_once() {
    let server = WebSocketServer::start().await;
    let mut listener = start(&["listen", "demo", "--url", &server.url, "--output", "json", "--count", "3"]);
    let mut client = server.accept().await;
    client.subscribed().await;
    client.send(&event("1")).await;
    client.send(&event("1")).await;
    client.send(r#"{"type":"pong"}"#).await;
    client.send("not JSON").await;
    client.send(&event("2")).await;
    client.close(1001, "Going away").await;
    let said = listener.says("lost the connection").await;
    assert!(said.contains("1001: Going away; trying again in "), "{said}");
    server.refuse(StatusCode::SERVICE_UNAVAILABLE, "").await;
    assert!(listener.says("cannot connect").await.contains("503"));
    let mut client = server.accept().await;
    client.subscribed().await;
    listener.says("connected again").await;
    client.send(&event("2")).await;
    client.send(&event("3")).await;
    for id in ["1", "2", "3"] {
        assert_eq!(listener.line().await, event(id));
    }
    assert_eq!(listener.exit().await.code(), Some(0));
}

/// A busy tenant's event can come before the answer to `subscribe`.
#[tokio::test]
async fn an_event_before_the_subscription_is_printed_and_is_no_earlier_connection() {
    let server = WebSocketServer::start().await;
    let mut listener = start(&["listen", "demo", "--url", &server.url, "--entity-type", "Room", "--output", "json"]);
    let mut client = server.accept().await;
    client.send(&event("1")).await;
    client.subscribed().await;
    assert_eq!(listener.line().await, event("1"));
    listener.says("listening to demo at ").await;
    client.close(1001, "Going away").await;
    listener.says("lost the connection").await;
    server.accept().await.subscribed().await;
    let said = listener.says("connected again; may have missed events since 20").await;
    assert!(
        said.contains(": the server cannot vouch for all of this time: its history is off, is too new or"),
        "{said}"
    );
    assert!(said.ends_with(" or the state of an entity lacks a change (unavailable)"), "{said}");
}

#[tokio::test]
async fn a_refusal_ends_it() {
    let server = WebSocketServer::start().await;
    for (status, expected) in [
        (StatusCode::BAD_REQUEST, "refused with 400"),
        (StatusCode::UNAUTHORIZED, "refused with 401: a token is required; set ENTITY_STREAM_TOKEN"),
        (StatusCode::FORBIDDEN, "refused with 403"),
        (StatusCode::NOT_FOUND, "answers 404"),
    ] {
        let args = ["listen", "demo", "--url", &server.url];
        let (ended, ()) = tokio::join!(run(&args), server.refuse(status, r#"{"message":"the reason"}"#));
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(expected) && ended.stderr.contains("the reason"), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
}

#[tokio::test]
async fn a_close_with_1008_is_final() {
    let server = WebSocketServer::start().await;
    let args = ["listen", "demo", "--url", &server.url, "--token", "eyJsecret"];
    let (ended, ()) = tokio::join!(run(&args), async {
        server.accept().await.close(1008, "the token has expired").await;
    });
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("refused with close code 1008"), "{ended:?}");
    assert!(ended.stderr.contains("the token has expired") && !ended.stderr.contains("eyJsecret"), "{ended:?}");
}

#[tokio::test]
async fn a_rejected_subscribe_ends_it_unless_the_server_is_at_fault() {
    let server = WebSocketServer::start().await;
    let mut listener = start(&["listen", "demo", "--url", &server.url]);
    for (code, frame) in [("internal", "error"), ("", "gateway")] {
        let mut client = server.accept().await;
        let id = client.message().await["requestId"].clone();
        let answer = match frame {
            "gateway" => json!({ "message": "Internal server error", "connectionId": "x", "requestId": "y" }),
            _ => json!({ "type": "error", "code": code, "message": "our fault", "requestId": id }),
        };
        client.send(&answer.to_string()).await;
        listener.says("trying again").await;
    }
    let mut client = server.accept().await;
    let id = client.message().await["requestId"].clone();
    let answer =
        json!({ "type": "error", "code": "invalid_id_pattern", "message": "no \u{1b}[2Jgood", "requestId": id });
    client.send(&answer.to_string()).await;
    let said = listener.says("the server refused: no").await;
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert_eq!(listener.exit().await.code(), Some(1));
}

#[tokio::test]
async fn a_closed_pipe_ends_it_quietly() {
    let server = WebSocketServer::start().await;
    let mut listener = start(&["listen", "demo", "--url", &server.url]);
    let mut client = server.accept().await;
    client.subscribed().await;
    client.send(&event("1")).await;
    listener.line().await;
    listener.close_stdout();
    // A process that another test starts can hold the end of the pipe for a moment, so one write is not enough.
    let mut more = tokio::time::interval(Duration::from_millis(50));
    let mut id = 1;
    let closed = loop {
        tokio::select! {
            closed = client.closed() => break closed,
            _ = more.tick() => {
                id += 1;
                client.send(&event(&id.to_string())).await;
            }
        }
    };
    assert!(closed);
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn an_interrupt_closes_the_connection_in_order() {
    let server = WebSocketServer::start().await;
    for signal in ["INT", "TERM"] {
        let mut listener = start_with(&["listen", "demo", "--url", &server.url], &[]);
        let mut client = server.accept().await;
        client.subscribed().await;
        listener.says("listening to demo").await;
        listener.signal(signal).await;
        assert!(client.closed().await);
        assert_eq!(listener.exit().await.code(), Some(0));
    }
}

#[tokio::test]
async fn the_summary_counts_events_repeats_and_connections() {
    let server = WebSocketServer::start().await;
    let mut listener = start(&["listen", "demo", "--url", &server.url, "--output", "none"]);
    let mut client = server.accept().await;
    client.subscribed().await;
    listener.says("listening to demo").await;
    for id in ["1", "2", "2", "3"] {
        client
            .send(
                &event(id)
                    .replace("\"entityUpdated\"", if id == "3" { "\"entityDeleted\"" } else { "\"entityUpdated\"" }),
            )
            .await;
    }
    client.close(1001, "Going away").await;
    listener.says("lost the connection").await;
    let mut client = server.accept().await;
    client.subscribed().await;
    listener.says("connected again").await;
    listener.signal("INT").await;
    let said = listener.says("3 events in ").await;
    assert!(said.contains("2 updated, 1 deleted; 1 repeat dropped; 2 connections"), "{said}");
    assert!(said.contains("/s, at most "), "{said}");
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn the_time_ends_it_and_missing_events_are_a_failure() {
    let system = system().await;
    let (url, http) = (system.websocket_url(), system.http_url());
    // This suffices to connect on a busy machine.
    let listen = ["listen", "demo", "--url", &url, "--timeout", "8s"];
    let (quiet, enough) = ([&listen[..], &["--quiet"]].concat(), [&listen[..], &["--count", "2", "--quiet"]].concat());
    let (quiet, told, missing) = tokio::join!(run(&quiet), run(&listen), run(&enough));
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
    assert!(told.code == Some(0) && told.stderr.contains("0 events in "), "{told:?}");
    assert_eq!((missing.code, missing.stderr.as_str()), (Some(1), "error: only 0 of 2 events came in 8 seconds\n"));
    let nowhere = run(&["listen", "demo", "--url", "ws://localhost:1", "--timeout", "100ms", "--quiet"]).await;
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.starts_with("error: no connection to ws://localhost:1 in "), "{nowhere:?}");

    // The command ends at the count, before the time.
    let mut listener = start(&["listen", "demo", "--url", &url, "--timeout", "1h", "--count", "1"]);
    listener.says("listening to demo").await;
    assert_eq!(run(&["simulate", "demo", "--count", "1", "--endpoint-url", &http]).await.code, Some(0));
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn prints_cloud_events_by_its_output_alone() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--output", "cloudevents", "--count", "1"]).await;
    assert_eq!(run(&["simulate", "demo", "--count", "1", "--endpoint-url", &system.http_url()]).await.code, Some(0));
    let printed: Value = serde_json::from_str(&listener.line().await).unwrap();
    assert_eq!((&printed["specversion"], &printed["data"]["tenant"]), (&json!("1.0"), &json!("demo")));
}

#[tokio::test]
async fn an_api_key_is_sent_and_never_an_argument() {
    let server = WebSocketServer::start().await;
    let args = ["listen", "demo", "--url", &server.url, "--api-key", "robot", "--count", "1"];
    let environment =
        [("ENTITY_STREAM_API_KEY", "es_secret\n"), ("ENTITY_STREAM_TOKEN", "eyJignored"), ("RUST_LOG", "trace")];
    let (ended, ()) = tokio::join!(run_with(&args, &environment, ""), async {
        let mut client = server.accept().await;
        // robot:es_secret
        assert_eq!(client.headers["authorization"], "Basic cm9ib3Q6ZXNfc2VjcmV0");
        client.subscribed().await;
        client.send(&event("1")).await;
        assert!(client.closed().await);
    });
    assert_eq!(ended.code, Some(0));
    assert!(!format!("{ended:?}").contains("es_secret") && !format!("{ended:?}").contains("cm9ib3Q6"), "{ended:?}");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "es_filed\n").unwrap();
    let args = [&args[..], &["--api-key-file", file.path().to_str().unwrap()]].concat();
    let (ended, ()) = tokio::join!(run(&args), server.refuse(StatusCode::UNAUTHORIZED, ""));
    assert!(ended.stderr.contains("the API key is not accepted"), "{ended:?}");

    let none = run(&["listen", "demo", "--api-key", "robot"]).await;
    assert!(
        none.code == Some(1) && none.stderr.contains("set ENTITY_STREAM_API_KEY or pass --api-key-file"),
        "{none:?}"
    );
    let bad = run_with(&["listen", "demo", "--api-key", "robot"], &[("ENTITY_STREAM_API_KEY", "es secret")], "").await;
    assert!(bad.code == Some(1) && !bad.stderr.contains("es secret"), "{bad:?}");
}

#[tokio::test]
async fn a_port_where_nothing_listens_gets_a_hint_once() {
    let (_closed, free) = closed_port();
    let ended = run(&["listen", "demo", "--url", &format!("ws://{free}"), "--timeout", "5s"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.matches("cannot connect to").count() > 1, "{ended:?}");
    assert_eq!(ended.stderr.matches("(is `entity-stream local` running there?)").count(), 1, "{ended:?}");
}

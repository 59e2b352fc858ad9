use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::harness::{PATIENCE, Running, run, run_with, start, start_line, start_with};

const FREE: [&str; 5] = ["local", "--port", "0", "--dynamodb-port", "0"];

/// The URL in the banner's row.
async fn url(system: &mut Running, row: &str) -> String {
    let line = system.prints(row).await;
    line.split_whitespace().find(|word| word.contains("://")).unwrap().to_owned()
}

#[tokio::test]
async fn shows_where_it_is_and_closes_its_clients_when_it_stops() {
    let mut system = start(&FREE);
    let websocket = url(&mut system, "WebSocket").await;
    let bus = url(&mut system, "Event bus").await;
    let dynamodb = url(&mut system, "DynamoDB").await;
    let line = system.prints("Try: ").await;
    let base = websocket.strip_suffix("?tenant=demo").unwrap().to_owned();
    assert!(line.contains(&format!("listen demo --url {base}")), "{line}");
    assert!(bus.starts_with("http://localhost:") && dynamodb.starts_with("http://localhost:"));

    let (mut client, _) = tokio_tungstenite::connect_async(websocket.replace("?", "/?")).await.unwrap();
    system.signal("INT").await;
    let close = loop {
        match client.next().await {
            Some(Ok(Message::Close(Some(frame)))) => break frame.code,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(close, CloseCode::Away);
    // The client's answer to the close goes out when it is polled again.
    while let Some(Ok(_)) = client.next().await {}
    assert_eq!(system.exit().await.code(), Some(0));
}

#[tokio::test]
async fn simulates_a_city_on_request() {
    for (options, format) in [
        (&[][..], "\"type\":\"Property\""),
        (&["--simulate-format", "ngsi-v2", "--simulate-partial"], "\"metadata\":{"),
    ] {
        let city = ["--simulate", "City", "--simulate-rate", "20"];
        let mut system = start(&[&FREE[..], &city, options].concat());
        let websocket = url(&mut system, "WebSocket").await;
        system.prints("The simulation publishes changes of the tenant city").await;
        let base = websocket.strip_suffix("?tenant=city").unwrap();
        let ended = run(&["listen", "city", "--url", base, "--count", "5", "--output", "json"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout.lines().filter(|line| line.contains("\"urn:ngsi-ld:")).count(), 5, "{ended:?}");
        assert!(ended.stdout.contains(format), "{ended:?}");
        system.signal("TERM").await;
        assert_eq!(system.exit().await.code(), Some(0));
    }
}

/// Sends a request as the monitor page does. Returns the first line of the answer.
async fn ask(base: &str, method: &str, path: &str, body: &str) -> String {
    let host = base.strip_prefix("ws://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_monitor_page_switches_the_simulation() {
    let mut system = start(&FREE);
    let page = url(&mut system, "Monitor").await;
    let websocket = url(&mut system, "WebSocket").await;
    let base = websocket.split('?').next().unwrap();
    assert_eq!(page, format!("{}/", base.replace("ws://", "http://")));
    for (tenant, rate) in [("city", "20"), ("town", "50")] {
        let body = format!(r#"{{"tenant":"{tenant}","rate":{rate}}}"#);
        assert_eq!(ask(base, "PUT", "/_local/simulation", &body).await, "HTTP/1.1 200 OK");
        let ended = run(&["listen", tenant, "--url", base, "--count", "3"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    assert_eq!(ask(base, "DELETE", "/_local/simulation", "").await, "HTTP/1.1 200 OK");
    // The simulation stops: no change comes between two changes of ours. While it ran, publishing took longer than its period.
    let mut listener = start(&["listen", "town", "--url", base]);
    listener.says("town").await;
    let endpoint = base.replace("ws://", "http://");
    let change = ["--type", "entityCreated", "--entity-type", "Room", "--entity-id", "urn:ngsi-ld:Room:ours"];
    let at_rest = async {
        loop {
            let published = run(&[&["publish", "town", "--endpoint-url", &endpoint][..], &change].concat()).await;
            assert_eq!(published.code, Some(0), "{published:?}");
            if listener.prints("urn:").await.contains(":ours") {
                break;
            }
            listener.prints(":ours").await;
        }
    };
    tokio::time::timeout(PATIENCE, at_rest).await.expect("the simulation stops");
    system.signal("INT").await;
    assert_eq!(system.exit().await.code(), Some(0));
}

#[tokio::test]
async fn the_environment_is_respected() {
    let mut system = start_with(&FREE, &[("EVENT_STREAMING_ENABLED", "false")]);
    let websocket = url(&mut system, "WebSocket").await;
    system.prints("the system refuses connections and drops events").await;
    let mut listener = start(&["listen", "demo", "--url", websocket.split('?').next().unwrap()]);
    listener.says("1013").await;

    for refusal in ["close", "status"] {
        let args = [&FREE[..], &["--refuse-with", refusal]].concat();
        let environment = [("AUTH_ENABLED", "true"), ("JWT_SECRET", "0123456789abcdef0123456789abcdef")];
        let mut system = start_with(&args, &environment);
        let websocket = url(&mut system, "WebSocket").await;
        let ended = run(&["listen", "demo", "--url", websocket.split('?').next().unwrap()]).await;
        assert_eq!(ended.code, Some(1));
        let expected = if refusal == "close" { "refused with close code 1008" } else { "refused with 401" };
        assert!(ended.stderr.contains(expected), "{ended:?}");
    }
}

#[tokio::test]
async fn a_failure_to_start_is_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let short: &[_] = &[("JWT_SECRET", "not-32-bytes")];
    let cases: [Case<'_>; 12] = [
        (&["--port", &port, "--dynamodb-port", "0"], &[], "--port"),
        (&["--port", "0", "--dynamodb-port", &port], &[], "--dynamodb-port"),
        (&["--port", "0", "--dynamodb-port", "0", "--data", "/dev/null/x"], &[], "/dev/null/x"),
        (&["--port", "0", "--dynamodb-port", "0", "--lambda-endpoint", "x"], &[], "http://localhost:9000"),
        (&[&FREE[1..], &["--stage", "_local"]].concat(), &[], "\"_local\" is no stage"),
        (&[], &[("AUTH_ENABLED", "yes")], "AUTH_ENABLED is invalid: expected true or false"),
        (&[], &[("RUST_LOG", "a=b=c")], "RUST_LOG"),
        (
            &FREE[1..],
            &[("AUTH_ENABLED", "true")],
            "set exactly one of JWT_SECRET, JWT_SECRET_ARN and JWT_JWKS_URL; found none",
        ),
        (&FREE[1..], &[("ALLOWED_ORIGINS", "example.com")], "ALLOWED_ORIGINS"),
        (&[&FREE[1..], &["--auth"]].concat(), short, "JWT_SECRET is too short"),
        (&[&FREE[1..], &["--auth"]].concat(), &[("JWT_JWKS_URL", "http://example.com")], "JWT_JWKS_URL"),
        (&[&FREE[1..], &["--auth"]].concat(), &[("AUTH_IN_BAND", "yes")], "AUTH_IN_BAND is invalid"),
    ];
    for (args, environment, expected) in cases {
        let ended = run_with(&[&["local"], args].concat(), environment, "").await;
        assert_eq!(ended.code, Some(1), "{args:?}: {ended:?}");
        assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains(expected), "{args:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{args:?}: {ended:?}");
        assert!(!ended.stderr.contains("not-32-bytes"), "{ended:?}");
    }
}

/// A system with a data file, whose functions never answer, and which has accepted three events.
async fn stuck(data: &str, lambda: &std::net::TcpListener) -> Running {
    let endpoint = format!("http://{}", lambda.local_addr().unwrap());
    let mut system = start(&[&FREE[..], &["--data", data, "--lambda-endpoint", &endpoint]].concat());
    let bus = url(&mut system, "Event bus").await;
    let change = ["--type", "entityCreated", "--entity-type", "Room", "--entity-id", "urn:ngsi-ld:Room:1"];
    for _ in 0..3 {
        let published = run(&[&["publish", "demo", "--endpoint-url", &bus][..], &change].concat()).await;
        assert_eq!(published.code, Some(0), "{published:?}");
    }
    system
}

#[cfg(unix)]
#[tokio::test]
async fn a_restart_says_what_a_killed_system_lost() {
    let lambda = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("table.db");
    let data = data.to_str().unwrap();
    let mut killed = stuck(data, &lambda).await;
    killed.signal("KILL").await;
    killed.exit().await;
    let mut system = start(&[&FREE[..], &["--data", data]].concat());
    let line = system.says("the last system on this data file was killed").await;
    assert!(line.contains("events=3"), "{line}");
    system.prints("Try: ").await;
    system.signal("TERM").await;
    assert_eq!(system.exit().await.code(), Some(0));
    let mut system = start(&[&FREE[..], &["--data", data]].concat());
    system.prints("Try: ").await;
    let stderr = system.collect_stderr();
    system.signal("INT").await;
    assert_eq!(system.exit().await.code(), Some(0));
    let stderr = stderr.await.unwrap();
    assert!(!stderr.contains("killed"), "the one before stopped by itself: {stderr}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_interrupt_ends_the_delivery_of_accepted_events() {
    let lambda = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut system = stuck(folder.path().join("table.db").to_str().unwrap(), &lambda).await;
    system.signal("INT").await;
    let line = system.says("stopping: delivering the accepted events for at most 5s").await;
    assert!(line.contains("events=3"), "{line}");
    system.signal("INT").await;
    assert_eq!(system.exit().await.code(), Some(130));
}

#[cfg(unix)]
#[tokio::test]
async fn with_a_full_disk_accepted_events_are_delivered() {
    // With a history or entity state they are delivered too, and then repeated, because these could not take them.
    for minutes in [0, 60] {
        deliver_with_a_full_disk(minutes).await;
    }
}

#[cfg(unix)]
async fn deliver_with_a_full_disk(history_minutes: u32) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("table.db");
    // A file of this process has at most 1 MB. With the signal ignored, a write beyond that fails as on a full disk.
    let command = [env!("CARGO_BIN_EXE_entity-stream"), &FREE.join(" "), "--data", data.to_str().unwrap()].join(" ");
    let mut system = start_line(&format!(
        "trap '' XFSZ; ulimit -f 2000; export HISTORY_MINUTES={history_minutes} ENTITY_STATE={}; exec {command}",
        history_minutes > 0
    ));
    let websocket = url(&mut system, "WebSocket").await.replace('?', "/?");
    let bus = url(&mut system, "Event bus").await;
    let dynamodb = url(&mut system, "DynamoDB").await;
    let (mut client, _) = tokio_tungstenite::connect_async(&websocket).await.unwrap();

    let table = aws_sdk_dynamodb::Client::new(&entity_stream_local::aws_config(&dynamodb));
    let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
    let mut written = 0;
    for size in [100_000, 10] {
        loop {
            let put = table.put_item().table_name(entity_stream_local::CONNECTIONS_TABLE);
            let put = put.item("pk", text(format!("filler-{written}"))).item("sk", text("x".to_owned()));
            if put.item("filler", text("x".repeat(size))).send().await.is_err() {
                break;
            }
            written += 1;
            assert!(written < 1000, "the disk is never full");
        }
    }

    let change = ["--type", "entityCreated", "--entity-type", "Room", "--entity-id", "urn:ngsi-ld:Room:1"];
    for _ in 0..3 {
        let published = run(&[&["publish", "demo", "--endpoint-url", &bus][..], &change].concat()).await;
        assert_eq!(published.code, Some(0), "{published:?}");
    }
    for _ in 0..3 {
        let message = tokio::time::timeout(PATIENCE, client.next()).await.expect("the event arrives");
        assert!(message.unwrap().unwrap().to_text().unwrap().contains("urn:ngsi-ld:Room:1"));
    }
    let refused = tokio_tungstenite::connect_async(&websocket).await;
    assert!(matches!(refused, Err(tokio_tungstenite::tungstenite::Error::Http(_))), "{refused:?}");
    let stderr = system.collect_stderr();
    system.signal("INT").await;
    while let Some(Ok(_)) = client.next().await {}
    assert_eq!(system.exit().await.code(), Some(0));
    let stderr = stderr.await.unwrap();
    assert_eq!(stderr.contains("they are lost"), history_minutes > 0, "{stderr}");
}

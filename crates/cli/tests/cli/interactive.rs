//! `listen --interactive`: lines on standard input change the filter and the form.

use entity_stream_local::Local;

use serde_json::json;

use crate::harness::{listen, run, start, system};
use crate::server::{Client, WebSocketServer};

async fn publish(system: &Local, entity_type: &str, entity: &str) {
    let args = ["publish", "demo", "--type", "entityUpdated", "--entity-type", entity_type, "--entity-id", entity];
    let ended = run(&[&args[..], &["--data", r#"{"n":1,"m":2}"#, "--target", &system.http_url()]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn lines_replace_the_filter_and_the_form() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--interactive"]).await;
    listener.says("Type options such as --entity-type Room").await;
    publish(&system, "Room", "urn:1").await;
    assert!(listener.line().await.contains("updated Room urn:1"));
    listener.input("--entity-type Car --q 'n==1' --attributes n\n").await;
    listener.says("the filter is in force").await;
    publish(&system, "Room", "urn:2").await;
    publish(&system, "Car", "urn:3").await;
    let line = listener.line().await;
    assert!(line.contains("updated Car urn:3") && line.contains("n=1") && !line.contains("m="), "{line}");
    listener.input("--output json\n").await;
    // The order of lines on standard input and of events is open, so a second change confirms the first.
    listener.input("--subscription 'cars={\"entityTypes\":[\"Car\"]}'\n").await;
    listener.says("the filter is in force").await;
    publish(&system, "Car", "urn:4").await;
    let line = listener.prints("urn:4").await;
    assert!(line.starts_with('{'), "{line}");
    listener.input("clear\n").await;
    listener.says("the filter is in force").await;
    publish(&system, "Room", "urn:5").await;
    listener.prints("urn:5").await;
    listener.input("quit\n").await;
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_mistake_leaves_the_filter_as_it_is() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--interactive", "--entity-type", "Room"]).await;
    let mixed = b"--subscription 'a={\"snapshot\":true}' --subscription 'b={}'\n";
    for (line, expected) in [
        (&b"--q 'n>'\n"[..], "--q: character 3 (the end): "),
        (b"Room\n", "unexpected argument 'Room' found; the filter stays as it is. `help` lists the options"),
        (b"--q 'n\n", "the line has an open quotation mark; the filter stays as it is"),
        (b"--output cloudevents\n", "--output cloudevents has to be chosen at the start"),
        (b"--output json --q 'n>'\n", "--q: character 3 (the end): "),
        (b"# a comment\n", "unexpected argument '# a comment' found; the filter stays as it is."),
        (b"\xff\n", "the line is not UTF-8; the filter stays as it is"),
        (mixed, "either all subscriptions of a line begin with a snapshot or none; the filter stays as it is."),
        (b"help\n", "--id-pattern <REGEX>"),
    ] {
        listener.input(line).await;
        listener.says(expected).await;
    }
    publish(&system, "Car", "urn:1").await;
    publish(&system, "Room", "urn:2").await;
    let line = listener.line().await;
    assert!(line.contains("updated Room urn:2") && !line.starts_with('{'), "{line}");
    listener.signal("INT").await;
    assert_eq!(listener.exit().await.code(), Some(0));
    let ended = run(&["listen", "demo", "--interactive", "--entities"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

/// Reads a message about a subscription with this name, and answers it.
async fn answers(client: &mut Client, action: &str, name: Option<&str>) {
    let message = client.message().await;
    assert_eq!((message["action"].as_str(), message["subscription"].as_str()), (Some(action), name), "{message}");
    let answer = if action == "subscribe" { "subscribed" } else { "unsubscribed" };
    let mut answer = json!({ "type": answer, "requestId": message["requestId"] });
    if let Some(name) = name {
        answer["subscription"] = name.into();
    }
    client.send(&answer.to_string()).await;
}

/// The former subscriptions are removed also if lines come faster than the answers.
#[tokio::test]
async fn pasted_lines_take_effect_one_after_the_other() {
    let server = WebSocketServer::start().await;
    let mut listener = start(&["listen", "demo", "--url", &server.url, "--interactive"]);
    let mut client = server.accept().await;
    client.subscribed().await;
    listener.says("Type options such as").await;
    listener.input("--subscription 'a={}'\n--subscription 'b={}'\nclear\n").await;
    answers(&mut client, "subscribe", Some("a")).await;
    answers(&mut client, "unsubscribe", None).await;
    answers(&mut client, "subscribe", Some("b")).await;
    answers(&mut client, "unsubscribe", Some("a")).await;
    answers(&mut client, "subscribe", None).await;
    answers(&mut client, "unsubscribe", Some("b")).await;
    for _ in 0..3 {
        listener.says("the filter is in force").await;
    }
    listener.input("quit\n").await;
    assert_eq!(listener.exit().await.code(), Some(0));
}

/// A line that is typed while a connection opens waits for the next answer, because the connection opens with the former filter.
#[tokio::test]
async fn a_line_before_the_first_answer_is_not_taken_for_accepted() {
    let server = WebSocketServer::start().await;
    let mut listener = start(&["listen", "demo", "--url", &server.url, "--interactive"]);
    let mut client = server.accept().await;
    let first = client.message().await;
    listener.input("--subscription 'a={}'\nhelp\n").await;
    listener.says("--id-pattern <REGEX>").await;
    client.send(&json!({ "type": "subscribed", "requestId": first["requestId"] }).to_string()).await;
    let second = client.message().await;
    assert_eq!((second["action"].as_str(), second["subscription"].as_str()), (Some("subscribe"), Some("a")));
    let refusal = json!({ "type": "error", "code": "limit_exceeded", "message": "too much", "subscription": "a",
        "requestId": second["requestId"] });
    client.send(&refusal.to_string()).await;
    let said = listener.says("force").await;
    assert!(
        said.starts_with("the server refused the filter: ") && said.ends_with("the former one stays in force"),
        "{said}"
    );
    listener.input("quit\n").await;
    // The former subscription is not removed.
    assert!(client.closed().await);
    assert_eq!(listener.exit().await.code(), Some(0));
}

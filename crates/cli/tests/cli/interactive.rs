//! `listen --interactive`: lines on standard input change the filter and the form.

use entity_stream_local::Local;

use crate::harness::{listen, run, system};

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
    for (line, expected) in [
        ("--q 'n>'\n", "--q: "),
        ("Room\n", "unexpected argument 'Room' found; the filter stays as it is. `help` lists the options"),
        ("--q 'n\n", "the line has an open quotation mark"),
        ("--output cloudevents\n", "--output cloudevents has to be chosen at the start"),
        ("help\n", "--id-pattern <REGEX>"),
    ] {
        listener.input(line).await;
        listener.says(expected).await;
    }
    publish(&system, "Car", "urn:1").await;
    publish(&system, "Room", "urn:2").await;
    assert!(listener.line().await.contains("urn:2"));
    listener.signal("INT").await;
    assert_eq!(listener.exit().await.code(), Some(0));
    let ended = run(&["listen", "demo", "--interactive", "--entities"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::harness::{closed_port, listen, run, run_with, start, system};
use crate::server::EventBus;

fn line(id: usize) -> String {
    format!(
        "{{\"type\":\"entityUpdated\",\"entityId\":\"urn:{id}\",\"entityType\":\"Room\",\"data\":{{\"i\":{id}}}}}\n"
    )
}

#[tokio::test]
async fn many_lines_go_out_in_batches_and_in_their_order() {
    let bus = EventBus::start(|_| None).await;
    let input: String = (0..25).map(line).collect();
    let ended = run_with(&["publish", "demo", "--file", "-", "--endpoint-url", &bus.url], &[], &input).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), "25 events published\n"));
    let requests = bus.requests.lock().unwrap();
    assert!(requests.iter().all(|request| request.len() <= 10));
    let ids: Vec<_> = requests.iter().flatten().map(|detail| detail["entityId"].as_str().unwrap()).collect();
    assert_eq!(ids, (0..25).map(|id| format!("urn:{id}")).collect::<Vec<_>>());
    assert!(requests.iter().flatten().all(|detail| detail["tenant"] == "demo"));
}

/// The bus keeps no order within a request, and its own times have whole seconds.
#[tokio::test]
async fn each_change_has_a_later_time_than_the_one_before() {
    let bus = EventBus::start(|_| None).await;
    let own = line(25).replace("\"data\"", "\"timestamp\":\"2026-01-02T03:04:05Z\",\"data\"");
    let input = (0..25).map(line).collect::<String>() + &own;
    let ended = run_with(&["publish", "demo", "--file", "-", "--endpoint-url", &bus.url], &[], &input).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let one = ["publish", "demo", "--type", "entityDeleted", "--entity-type", "Room", "--entity-id", "urn:1"];
    assert_eq!(run(&[&one[..], &["--endpoint-url", &bus.url]].concat()).await.code, Some(0));
    let requests = bus.requests.lock().unwrap();
    let mut times: Vec<_> = requests.iter().flatten().map(|detail| detail["timestamp"].as_str().unwrap()).collect();
    assert_eq!(times.remove(25), "2026-01-02T03:04:05Z");
    assert!(times.is_sorted_by(|one, next| one < next), "{times:?}");
}

#[tokio::test]
async fn every_rejected_line_is_named_and_the_others_are_published() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--count", "2"]).await;
    let input = format!(
        "{}\nnonsense\n{}{{\"type\":\"entityMoved\"}}\n{}",
        line(1),
        line(2).replace("\"data\"", "\"tenant\":\"other\",\"data\""),
        line(3).trim_end(),
    );
    let args = ["publish", "demo", "--file", "-", "--endpoint-url", &system.http_url()];
    let ended = run_with(&args, &[], &input).await;
    assert_eq!(ended.code, Some(1));
    for expected in [
        "line 3: expected one JSON object per line",
        "line 4: the line has another tenant than `demo`",
        "line 5: type: expected one of `entityCreated`",
        "2 events published, 3 rejected",
        "error: 3 of 5 events rejected",
    ] {
        assert!(ended.stderr.contains(expected), "{expected:?} in {ended:?}");
    }
    assert!(listener.prints("urn:").await.contains("updated Room urn:"));
    listener.prints("urn:").await;
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn temporary_rejections_are_sent_again_and_no_others() {
    let attempts: Mutex<HashMap<String, usize>> = Mutex::default();
    let bus = EventBus::start(move |detail| {
        let mut attempts = attempts.lock().unwrap();
        let id = detail["entityId"].as_str().unwrap().to_owned();
        let attempt = attempts.entry(id.clone()).and_modify(|attempt| *attempt += 1).or_insert(1);
        match (id.as_str(), *attempt) {
            ("urn:1", 1) => Some("InternalFailure"),
            ("urn:2", 1 | 2) => Some("ThrottlingException"),
            ("urn:3", _) => Some("MalformedDetail"),
            _ => None,
        }
    })
    .await;
    let input: String = (0..5).map(line).collect();
    let ended = run_with(&["publish", "demo", "--file", "-", "--endpoint-url", &bus.url], &[], &input).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("line 4: MalformedDetail: as the test says"), "{ended:?}");
    assert!(ended.stderr.contains("4 events published, 1 rejected"), "{ended:?}");
    let mut sent: HashMap<String, usize> = HashMap::new();
    for detail in bus.requests.lock().unwrap().iter().flatten() {
        *sent.entry(detail["entityId"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let times = |id: &str| sent[id];
    assert_eq!(["urn:0", "urn:1", "urn:2", "urn:3", "urn:4"].map(times), [1, 2, 3, 1, 1]);
}

#[tokio::test]
async fn single_lines_are_published_as_they_come() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &[]).await;
    let mut publisher = start(&["publish", "demo", "--file", "-", "--endpoint-url", &system.http_url()]);
    publisher.input(&line(1)).await;
    listener.prints("urn:1").await;
    publisher.input(&line(2)).await;
    listener.prints("urn:2").await;
    // The input is still open. The read of it cannot be cancelled, and must not keep the command.
    publisher.signal("INT").await;
    publisher.says("stopped after 2 events published: interrupted").await;
    assert_eq!(publisher.exit().await.code(), Some(1));
}

#[tokio::test]
async fn several_requests_at_a_time_are_as_complete_as_one() {
    let bus = EventBus::start(|_| None).await;
    let input: String = (0..1003).map(line).collect();
    let args = ["publish", "demo", "--file", "-", "--in-flight", "8", "--endpoint-url", &bus.url];
    let ended = run_with(&args, &[], &input).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), "1,003 events published\n"));
    let requests = bus.requests.lock().unwrap();
    let ids: HashSet<_> = requests.iter().flatten().map(|detail| detail["entityId"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), requests.iter().map(Vec::len).sum::<usize>()), (1003, 1003));
}

#[tokio::test]
async fn a_real_bus_gets_its_name_and_the_usual_credentials() {
    let bus = EventBus::start(|_| None).await;
    let args = ["publish", "demo", "--file", "-", "--event-bus", "city", "--endpoint-url", &bus.url];
    let credentials = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret-example"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let ended = run_with(&args, &credentials, &line(1)).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let without = run_with(&args, &[credentials[2], credentials[3]], &line(1)).await;
    assert!(without.stderr.contains("no AWS credentials: log in with `aws sso login`"), "{without:?}");
    let nowhere = run_with(&args, &[credentials[0], credentials[1], credentials[3]], &line(1)).await;
    assert!(nowhere.stderr.contains("no AWS region: pass --region"), "{nowhere:?}");
}

#[tokio::test]
async fn a_bus_that_is_not_there_is_named() {
    let (_closed, free) = closed_port();
    let url = format!("http://{free}");
    let one = ["publish", "demo", "--type", "entityDeleted", "--entity-type", "Room", "--entity-id", "urn:1"];
    let ended = run(&[&one[..], &["--endpoint-url", &url]].concat()).await;
    assert_eq!(ended.code, Some(1));
    let expected = format!("error: cannot publish to {url} (is `entity-stream local` running there?)");
    assert!(ended.stderr.starts_with(&expected), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

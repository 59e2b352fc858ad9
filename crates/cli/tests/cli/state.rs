use entity_stream_local::{Config, HISTORY_TABLE, Local};
use entity_stream_runtime::Environment;
use serde_json::{Value, json};

use crate::harness::{Ended, listen, run, run_with, system, system_with};

/// Publishes changes of a tenant, and waits until they are delivered. Their states are written before that.
async fn publish(system: &Local, tenant: &str, details: &[Value]) {
    let count = details.len().to_string();
    let mut listener = listen(system, tenant, &["--output", "json", "--count", &count]).await;
    let lines: Vec<_> = details.iter().map(Value::to_string).collect();
    let args = ["publish", tenant, "--file", "-", "--endpoint-url", &system.http_url()];
    let published = run_with(&args, &[], &lines.join("\n")).await;
    assert_eq!(published.code, Some(0), "{published:?}");
    for _ in details {
        listener.line().await;
    }
}

/// The table does not tell whether the system keeps entity state.
const NONE_FOUND: &str = "no entities found (or the system keeps no entity state: see `entity-stream doctor demo`)";

async fn state(system: &Local, args: &[&str]) -> Ended {
    run(&[&["state"], args, &["--dynamodb-url", &system.dynamodb_url()]].concat()).await
}

async fn ids(system: &Local, args: &[&str]) -> Vec<String> {
    let listed = state(system, &[&["list", "--ids-only"], args].concat()).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let mut ids: Vec<_> = listed.stdout.lines().map(str::to_owned).collect();
    ids.sort();
    ids
}

async fn show(system: &Local, args: &[&str]) -> Vec<Value> {
    let shown = state(system, &[&["show"], args].concat()).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn create(id: &str, entity_type: &Value, data: &Value) -> Value {
    json!({ "type": "entityCreated", "entityId": id, "entityType": entity_type, "data": data })
}

#[tokio::test]
async fn entities_are_listed_and_shown() {
    let system = system().await;
    let empty = state(&system, &["list", "--tenant", "demo"]).await;
    assert_eq!((empty.code, empty.stdout.as_str(), empty.stderr.trim()), (Some(0), "", NONE_FOUND));
    let in_path = json!({
        "type": "entityUpdated", "entityId": "urn:1", "entityType": "Room", "servicePath": "/madrid",
        "data": { "t": 2 },
    });
    let first = [
        create("urn:1", &json!("Room"), &json!({ "t": 1.0, "h": { "type": "Number", "value": 40 } })),
        create("urn:2", &json!(["Car", "Taxi"]), &json!({ "speed": 50 })),
        create("urn:3", &json!("Car"), &json!({})),
        in_path,
    ];
    publish(&system, "demo", &first).await;
    publish(&system, "city", &[create("urn:9", &json!("Room"), &json!({}))]).await;
    let update = json!({ "type": "entityUpdated", "entityId": "urn:1", "entityType": "Room", "data": { "h": 41 } });
    let delete = json!({ "type": "entityDeleted", "entityId": "urn:3", "entityType": "Car" });
    publish(&system, "demo", &[update, delete]).await;

    assert_eq!(ids(&system, &["--tenant", "demo"]).await, ["urn:1", "urn:2"], "an id with two paths is printed once");
    assert_eq!(ids(&system, &["--tenant", "demo", "--type", "Car"]).await, ["urn:2"]);
    assert_eq!(ids(&system, &["--tenant", "demo", "--type", "Taxi"]).await, ["urn:2"]);
    assert_eq!(ids(&system, &["--tenant", "demo", "--type", "Bus"]).await, [""; 0]);
    assert_eq!(ids(&system, &["--tenant", "city"]).await, ["urn:9"]);
    let table = state(&system, &["list", "--tenant", "Demo"]).await.stdout;
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(rows[0], ["ID", "TYPE", "SERVICE PATH", "VERSION", "CHANGED", "ATTRIBUTES"]);
    let without_version = |row: &[&str]| [row[0], row[1], row[2], row[5]].map(str::to_owned);
    assert_eq!(without_version(&rows[1]), ["urn:1", "Room", "/", "2"]);
    assert_eq!(without_version(&rows[2]), ["urn:1", "Room", "/madrid", "1, partial"]);
    assert_eq!(without_version(&rows[3]), ["urn:2", "Car, Taxi", "/", "1"]);
    assert!(rows[1][4].ends_with(" s ago"), "{table}");

    let json = state(&system, &["list", "--tenant", "demo", "--output", "json"]).await.stdout;
    let json: Vec<Value> = serde_json::from_str(&json).unwrap();
    let keys: Vec<_> =
        json.iter().map(|one| (one["entityId"].as_str().unwrap(), one["servicePath"].as_str().unwrap())).collect();
    assert_eq!(keys, [("urn:1", "/"), ("urn:1", "/madrid"), ("urn:2", "/")]);
    assert_eq!(json[0]["data"], json!({ "t": 1.0, "h": 41 }));
    assert_eq!(state(&system, &["list", "--tenant", "none", "--output", "json"]).await.stdout, "[]\n");

    let shown = state(&system, &["show", "--tenant", "demo", "urn:1", "--service-path", "/"]).await;
    assert!(shown.stdout.contains(r#""t":1.0"#), "byte for byte: {shown:?}");
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["data"], json!({ "t": 1.0, "h": 41 }));
    assert_eq!((&shown["entityId"], &shown["entityType"]), (&json!("urn:1"), &json!("Room")));
    assert_eq!((&shown["servicePath"], &shown["partial"]), (&json!("/"), &json!(false)));
    assert_eq!(shown["lastChange"]["type"], "entityUpdated");
    assert_eq!(shown["version"].to_string(), rows[1][3]);
    let both = show(&system, &["--tenant", "demo", "urn:1"]).await;
    assert_eq!(both.len(), 2, "{both:?}");
    for (id, reason) in [
        ("urn:3", "was deleted"),
        ("urn:4", "the tenant demo has no entity urn:4 (or the system keeps no entity state"),
    ] {
        let ended = state(&system, &["show", "--tenant", "demo", id]).await;
        assert!(ended.code == Some(1) && ended.stdout.is_empty() && ended.stderr.contains(reason), "{ended:?}");
    }
}

#[tokio::test]
async fn an_erased_entity_is_gone_and_its_version_grows_when_it_comes_back() {
    let system = system().await;
    let details = |id: &str| create(id, &json!("Room"), &json!({ "t": 1 }));
    publish(&system, "demo", &[details("urn:1"), details("urn:2")]).await;
    let before = show(&system, &["--tenant", "demo", "urn:1"]).await[0]["version"].as_u64().unwrap();

    let erased = state(&system, &["erase", "--tenant", "demo", "urn:1"]).await;
    assert_eq!((erased.code, erased.stdout.as_str()), (Some(0), "erased 1 entity\n"), "{erased:?}");
    assert!(erased.stderr.contains("stay in the history until HISTORY_MINUTES have passed"), "{erased:?}");
    assert_eq!(state(&system, &["show", "--tenant", "demo", "urn:1"]).await.code, Some(1));
    assert_eq!(ids(&system, &["--tenant", "demo"]).await, ["urn:2"]);
    assert_eq!(ids(&system, &["--tenant", "demo", "--type", "Room"]).await, ["urn:2"]);
    let again = state(&system, &["erase", "--tenant", "demo", "urn:1"]).await;
    assert!(again.code == Some(1) && again.stderr.contains("the tenant demo has no entity urn:1"), "{again:?}");

    publish(&system, "demo", &[details("urn:1")]).await;
    let after = show(&system, &["--tenant", "demo", "urn:1"]).await[0]["version"].as_u64().unwrap();
    assert!(after > before, "{before} {after}");
    assert_eq!(ids(&system, &["--tenant", "demo", "--type", "Room"]).await, ["urn:1", "urn:2"]);
}

#[tokio::test]
async fn the_entities_of_one_tenant_are_erased() {
    let system = system().await;
    let details: Vec<_> =
        (0..40).map(|index| create(&format!("urn:{index}"), &json!("Room"), &json!({ "t": 1 }))).collect();
    publish(&system, "demo", &details).await;
    publish(&system, "city", &details[..1]).await;
    let asked = state(&system, &["erase", "--tenant", "demo", "--all"]).await;
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert!(asked.stderr.contains("pass --yes to delete 40 entities of demo without a question"), "{asked:?}");
    let erased = state(&system, &["erase", "--tenant", "demo", "--all", "--yes"]).await;
    assert_eq!((erased.code, erased.stdout.as_str()), (Some(0), "erased 40 entities\n"), "{erased:?}");
    assert_eq!(ids(&system, &["--tenant", "demo"]).await, [""; 0]);
    assert_eq!(ids(&system, &["--tenant", "city"]).await, ["urn:0"]);
    let again = state(&system, &["erase", "--tenant", "demo", "--all", "--yes"]).await;
    assert_eq!((again.code, again.stderr.trim()), (Some(0), "no entities found"));
}

#[tokio::test]
async fn the_markers_of_deleted_entities_are_no_entities() {
    let system = system().await;
    publish(&system, "demo", &["urn:1", "urn:2", "urn:3"].map(|id| create(id, &json!("Room"), &json!({})))).await;
    let delete = |id: &str| json!({ "type": "entityDeleted", "entityId": id, "entityType": "Room" });
    publish(&system, "demo", &[delete("urn:2"), delete("urn:3")]).await;
    let erase = async |args: &[&str]| state(&system, &[&["erase", "--tenant", "demo"], args].concat()).await;
    let asked = erase(&["--all"]).await;
    let both = "pass --yes to delete 1 entity and 2 markers of deleted entities of demo without a question";
    assert!(asked.stderr.contains(both), "{asked:?}");
    assert_eq!(erase(&["urn:2"]).await.stdout, "erased 1 marker of a deleted entity\n");
    assert_eq!(erase(&["--all", "--yes"]).await.stdout, "erased 1 entity and 1 marker of a deleted entity\n");
}

#[tokio::test]
async fn a_service_path_without_the_entity_is_named() {
    let system = system().await;
    publish(&system, "demo", &[create("urn:1", &json!("Room"), &json!({}))]).await;
    for command in ["show", "erase"] {
        let of =
            async |path: &str| state(&system, &[command, "--tenant", "demo", "urn:1", "--service-path", path]).await;
        let elsewhere = of("/x").await;
        let expected = "the tenant demo has no entity urn:1 in the service path /x; it is known in /";
        assert!(elsewhere.code == Some(1) && elsewhere.stderr.contains(expected), "{elsewhere:?}");
        let no_path = of("x").await;
        assert_eq!(no_path.code, Some(2), "{no_path:?}");
        assert!(
            no_path.stderr.contains("--service-path must begin with `/`, such as `/madrid`; found `x`"),
            "{no_path:?}"
        );
    }
}

#[tokio::test]
async fn a_system_without_a_table_of_entities_says_so() {
    let off = |name: &str| match name {
        "HISTORY_MINUTES" => Some("0".to_owned()),
        "ENTITY_STATE" => Some("false".to_owned()),
        _ => None,
    };
    let system = system_with(Config { environment: Environment::new(off), ..Config::default() }).await;
    for args in [&["list"][..], &["show", "urn:1"], &["erase", "urn:1"]] {
        let ended = state(&system, &[args, &["--tenant", "demo"]].concat()).await;
        let expected =
            "error: the local system keeps neither history nor entity state, so it has no table of entities: start it";
        assert!(ended.code == Some(1) && ended.stderr.starts_with(expected), "{ended:?}");
    }
}

#[tokio::test]
async fn what_is_erased_has_to_be_named() {
    for args in [
        &["erase", "--tenant", "demo"][..],
        &["erase", "--tenant", "demo", "urn:1", "--all"],
        &["erase", "--tenant", "demo", "--all", "--service-path", "/"],
        &["erase", "urn:1"],
        &["list"],
        &["show", "--tenant", "demo"],
    ] {
        let ended = run(&[&["state"], args].concat()).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    }
}

#[tokio::test]
async fn a_deployed_table_of_the_history_is_reached_as_the_machine_is_configured() {
    let system = system().await;
    publish(&system, "demo", &[create("urn:1", &json!("Room"), &json!({}))]).await;
    let url = system.dynamodb_url();
    let environment =
        [("AWS_ENDPOINT_URL_DYNAMODB", url.as_str()), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    let on_aws = async |table: &str| {
        let args = ["state", "list", "--tenant", "demo", "--history-table", table, "--region", "us-east-1"];
        run_with(&args, &environment, "").await
    };
    assert!(on_aws(HISTORY_TABLE).await.stdout.contains("urn:1"));
    let missing = on_aws("nowhere").await;
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("cannot use the table nowhere: DynamoDB Query: ResourceNotFound"), "{missing:?}");
}

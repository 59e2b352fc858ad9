//! Starting the system, and faults that prevent it.

use std::net::SocketAddr;

use entity_stream_local::{
    API_KEYS_TABLE, CONNECTIONS_TABLE, Config, FunctionHost, FunctionNames, HISTORY_TABLE, Local,
};
use serde_json::{Value, json};

use crate::harness::{System, config, request, room};

/// The tables of the local system, sorted by name.
const TABLES: [&str; 3] = [API_KEYS_TABLE, CONNECTIONS_TABLE, HISTORY_TABLE];

async fn problem(config: Config) -> String {
    let error = Local::start(config).await.expect_err("it cannot start").to_string();
    assert!(!error.contains('\n'), "one line: {error}");
    error
}

#[tokio::test]
async fn health_is_good_once_it_has_started() {
    let system = System::start().await;
    let health = request("GET", &format!("{}/_local/health", system.local.http_url()), &[], "").await;
    let body: Value = serde_json::from_slice(&health.body).unwrap();
    assert_eq!((health.status, &body["status"]), (200, &json!("ok")));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = problem(Config { listen: address, ..config() }).await;
    assert!(error.contains(&address.to_string()) && error.contains("--port"), "{error}");
    let error = problem(Config { dynamodb: address, ..config() }).await;
    assert!(error.contains(&address.to_string()) && error.contains("--dynamodb-port"), "{error}");
}

#[tokio::test]
async fn the_error_names_an_unusable_data_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").join("table.db");
    let error = problem(Config { data: Some(missing.clone()), ..config() }).await;
    assert!(error.contains(missing.to_str().unwrap()) && error.contains("No such file"), "{error}");
    let error = problem(Config { data: Some(folder.path().to_owned()), ..config() }).await;
    assert!(error.contains("directory"), "{error}");
    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "these are notes and not a database, and they are long enough to be looked at").unwrap();
    let error = problem(Config { data: Some(other.clone()), ..config() }).await;
    assert!(error.contains("notes.txt") && error.contains("it is no database of this system"), "{error}");
    assert!(std::fs::read_to_string(&other).unwrap().starts_with("these are notes"), "the file is unchanged");
}

#[tokio::test]
async fn the_error_names_an_invalid_lambda_endpoint() {
    for endpoint in [
        "localhost:9000",
        "https://localhost:9000",
        "http://localhost:9000/path",
        "http://localhost:9000?x=1",
        "http://localhost:9000/#fragment",
        "nonsense",
    ] {
        let functions = FunctionHost::Lambda { endpoint: endpoint.to_owned(), names: FunctionNames::default() };
        let error = problem(Config { functions, ..config() }).await;
        assert!(error.contains(endpoint) && error.contains("http://localhost:9000"), "{error}");
    }
}

#[tokio::test]
async fn a_password_in_the_lambda_endpoint_is_refused_and_not_repeated() {
    let endpoint = "http://user:not-to-be-repeated@localhost:9000".to_owned();
    let functions = FunctionHost::Lambda { endpoint, names: FunctionNames::default() };
    let error = problem(Config { functions, ..config() }).await;
    assert!(error.contains("@localhost:9000") && !error.contains("not-to-be-repeated"), "{error}");
}

#[tokio::test]
async fn a_stage_that_is_none_is_named() {
    for stage in ["", "a/b", "_local", "@connections"] {
        let error = problem(Config { stage: stage.to_owned(), ..config() }).await;
        assert!(error.contains(&format!("{stage:?} is no stage")), "{error}");
    }
}

#[tokio::test]
async fn another_program_on_the_other_loopback_address_is_an_error() {
    let Ok(taken) = std::net::TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)) else {
        // Machines without IPv6 have no such address.
        return;
    };
    let twin = taken.local_addr().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], twin.port()));
    let error = problem(Config { listen: address, ..config() }).await;
    assert!(error.contains(&twin.to_string()) && error.contains("--port"), "{error}");
    let error = problem(Config { dynamodb: address, ..config() }).await;
    assert!(error.contains(&twin.to_string()) && error.contains("--dynamodb-port"), "{error}");
}

#[tokio::test]
async fn a_data_file_belongs_to_one_system_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path().join("table.db"));
    let system = System::start_with(Config { data: data.clone(), ..config() }).await;
    let error = problem(Config { data: data.clone(), ..config() }).await;
    assert!(error.contains("table.db") && error.contains("another local system"), "{error}");
    system.local.shutdown().await;
    System::start_with(Config { data, ..config() }).await;
}

#[cfg(unix)]
#[tokio::test]
async fn data_files_are_for_their_owner_only() {
    use std::fs::{Permissions, read_dir, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path().join("table.db"));
    for round in 0..2 {
        let system = System::start_with(Config { data: data.clone(), ..config() }).await;
        let _client = system.connect("tenant=demo").await;
        let files: Vec<_> = read_dir(folder.path()).unwrap().map(|file| file.unwrap()).collect();
        assert!(files.len() >= 4, "the file itself, -wal, -shm and .lock: {files:?}");
        for file in &files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{round}: {file:?}");
        }
        system.local.shutdown().await;
        // An earlier version created them so.
        for file in read_dir(folder.path()).unwrap() {
            set_permissions(file.unwrap().path(), Permissions::from_mode(0o644)).unwrap();
        }
    }
}

#[tokio::test]
async fn data_in_a_file_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path().join("table.db"));
    let system = System::start_with(Config { data: data.clone(), ..config() }).await;
    let client = aws_sdk_dynamodb::Client::new(&entity_stream_local::aws_config(&system.local.dynamodb_url()));
    let note = aws_sdk_dynamodb::types::AttributeValue::S("kept".to_owned());
    let put = client.put_item().table_name(CONNECTIONS_TABLE).item("pk", note.clone()).item("sk", note);
    put.send().await.unwrap();
    system.local.shutdown().await;
    let system = System::start_with(Config { data, ..config() }).await;
    assert_eq!(system.items().await.len(), 1);
}

#[tokio::test]
async fn a_data_file_without_the_table_of_api_keys_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("table.db");
    let system = System::start_with(Config { data: Some(data.clone()), ..config() }).await;
    let client = aws_sdk_dynamodb::Client::new(&entity_stream_local::aws_config(&system.local.dynamodb_url()));
    client.delete_table().table_name(API_KEYS_TABLE).send().await.unwrap();
    system.local.shutdown().await;
    is_of_an_earlier_version(&data).await;
}

#[tokio::test]
async fn a_data_file_with_api_keys_in_the_table_of_connections_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("table.db");
    let system = System::start_with(Config { data: Some(data.clone()), ..config() }).await;
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let time = aws_sdk_dynamodb::types::AttributeValue::N("1767323045000".to_owned());
    let tenants = aws_sdk_dynamodb::types::AttributeValue::L(vec![text("demo")]);
    let client = aws_sdk_dynamodb::Client::new(&entity_stream_local::aws_config(&system.local.dynamodb_url()));
    let put = client.put_item().table_name(CONNECTIONS_TABLE).item("pk", text("K#robot")).item("sk", text("K"));
    let put = put.item("hash", text("n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg")).item("role", text("user"));
    put.item("tenants", tenants).item("createdAt", time).send().await.unwrap();
    system.local.shutdown().await;
    is_of_an_earlier_version(&data).await;
}

/// The message that refuses the file gives advice, and a start succeeds after the user has followed it.
async fn is_of_an_earlier_version(data: &std::path::Path) {
    let before = std::fs::read(data).unwrap();
    for _ in 0..2 {
        let error = problem(Config { data: Some(data.to_owned()), ..config() }).await;
        assert!(error.contains(data.to_str().unwrap()), "{error}");
        assert!(error.contains("delete the file") && error.contains("`entity-stream keys create`"), "{error}");
    }
    assert!(std::fs::read(data).unwrap() == before, "the file is left alone");
    std::fs::remove_file(data).unwrap();
    System::start_with(Config { data: Some(data.to_owned()), ..config() }).await;
}

#[tokio::test]
async fn every_interface_can_be_listened_on() {
    let listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let system = System::start_with(Config { listen, ..config() }).await;
    let mut client = system.connect("tenant=demo").await;
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.json().await["entityId"], json!("r"));
}

#[tokio::test]
async fn localhost_is_reached_by_either_protocol() {
    let system = System::start().await;
    let twin = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, system.local.address().port()));
    if std::net::TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_err() {
        // Machines without IPv6 have no such address.
        return;
    }
    let health = request("GET", &format!("http://{twin}/_local/health"), &[], "").await;
    assert_eq!(health.status, 200);
    let dynamodb = system.local.dynamodb_url().replace("127.0.0.1", "[::1]");
    let client = aws_sdk_dynamodb::Client::new(&entity_stream_local::aws_config(&dynamodb));
    assert_eq!(client.list_tables().send().await.unwrap().table_names(), TABLES);
}

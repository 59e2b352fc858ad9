use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity_stream_local::{API_KEYS_TABLE, Config, Local};
use entity_stream_runtime::Environment;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::{Ended, closed_port, run, run_with, system, system_with};

type Client = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A local system that requires credentials and refuses with a status.
async fn guarded() -> Local {
    let environment =
        Environment::new(|name| (name == "JWT_SECRET").then(|| "0123456789abcdef0123456789abcdef".to_owned()));
    let refuse_with = entity_stream_local::RefuseWith::Status;
    system_with(Config { auth_enabled: true, environment, refuse_with, ..Config::default() }).await
}

async fn keys(system: &Local, args: &[&str]) -> Ended {
    run(&[&["keys"], args, &["--dynamodb-url", &system.dynamodb_url()]].concat()).await
}

/// The `@connections` endpoint.
fn api(system: &Local) -> String {
    format!("{}/local", system.http_url())
}

/// Opens a connection with this name and key. Returns the status of a refusal.
async fn open(system: &Local, tenant: &str, name: &str, key: &str) -> Result<Client, u16> {
    let mut request = format!("{}/?tenant={tenant}", system.websocket_url()).into_client_request().unwrap();
    let value = format!("Basic {}", STANDARD.encode(format!("{name}:{key}")));
    request.headers_mut().insert("authorization", value.parse().unwrap());
    match connect_async(request).await {
        Ok((client, _)) => Ok(client),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// The status of a handshake with this name and key.
async fn connect(system: &Local, tenant: &str, name: &str, key: &str) -> u16 {
    open(system, tenant, name, key).await.err().unwrap_or(101)
}

#[tokio::test]
async fn a_key_opens_connections_until_it_is_revoked() {
    let system = guarded().await;
    let created = keys(&system, &["create", "robot", "--tenant", "Demo", "--expires-in", "90d"]).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let key = created.stdout.strip_suffix('\n').unwrap();
    assert!(key.starts_with("es_") && !key.contains(char::is_whitespace), "{created:?}");
    assert!(created.stderr.contains("Authorization: Basic $(printf '%s' \"robot:$KEY\""), "{created:?}");
    assert!(!created.stderr.contains(key), "the key stands on standard output alone: {created:?}");

    assert_eq!(connect(&system, "demo", "robot", key).await, 101);
    assert_eq!(connect(&system, "city", "robot", key).await, 403);
    assert_eq!(connect(&system, "demo", "robot", "es_wrong").await, 401);
    assert_eq!(connect(&system, "demo", "other", key).await, 401);

    let revoked = keys(&system, &["revoke", "robot", "--api", &api(&system)]).await;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    assert!(revoked.stdout.starts_with("revoked robot\n"), "{revoked:?}");
    assert_eq!(connect(&system, "demo", "robot", key).await, 401);
}

#[tokio::test]
async fn the_connections_of_a_revoked_key_are_closed_and_no_others() {
    let system = guarded().await;
    let mut clients = Vec::new();
    for name in ["robot", "other"] {
        let key = keys(&system, &["create", name, "--tenant", "demo"]).await.stdout;
        for _ in 0..2 {
            clients.push(open(&system, "demo", name, key.trim()).await.unwrap());
        }
    }
    let others = clients.split_off(2);

    let revoked = keys(&system, &["revoke", "robot", "--api", &api(&system)]).await;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let lines: Vec<_> = revoked.stdout.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "revoked robot"), "{revoked:?}");
    assert!(lines[1..].iter().all(|line| line.starts_with("closed ")), "{revoked:?}");
    assert_eq!(revoked.stderr, "The key had 2 connections, which the API closed.\n");
    for mut client in clients {
        let frame = client.next().await.unwrap().unwrap();
        assert!(matches!(&frame, Message::Close(Some(frame)) if u16::from(frame.code) == 1000), "{frame:?}");
    }
    for mut client in others {
        client.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();
        assert!(client.next().await.unwrap().unwrap().is_text(), "the connections of another key stay open");
    }
}

#[tokio::test]
async fn a_key_without_connections_is_revoked() {
    let system = guarded().await;
    keys(&system, &["create", "robot", "--tenant", "demo"]).await;
    let revoked = keys(&system, &["revoke", "robot", "--api", &api(&system)]).await;
    assert_eq!((revoked.code, revoked.stdout.as_str()), (Some(0), "revoked robot\n"));
    assert_eq!(revoked.stderr, "The key had no open connections.\n");
}

#[tokio::test]
async fn connections_that_cannot_be_closed_are_counted() {
    let system = guarded().await;
    let key = keys(&system, &["create", "robot", "--tenant", "demo"]).await.stdout;
    let _client = open(&system, "demo", "robot", key.trim()).await.unwrap();
    let elsewhere = format!("{}/prod", system.http_url());
    let revoked = keys(&system, &["revoke", "robot", "--api", &elsewhere]).await;
    assert_eq!((revoked.code, revoked.stdout.as_str()), (Some(1), "revoked robot\n"), "{revoked:?}");
    assert!(revoked.stderr.contains("the key is revoked"), "{revoked:?}");
    assert!(revoked.stderr.contains("1 of 1 connection could not be closed"), "{revoked:?}");
}

#[tokio::test]
async fn the_list_has_everything_but_keys_and_hashes() {
    let system = guarded().await;
    let empty = keys(&system, &["list"]).await;
    assert_eq!((empty.code, empty.stdout.as_str(), empty.stderr.as_str()), (Some(0), "", "no keys found\n"));
    assert_eq!(keys(&system, &["list", "--output", "json"]).await.stdout, "[]\n");

    let admin = keys(&system, &["create", "admin", "--role", "super_admin"]).await.stdout;
    let both = ["create", "both", "--tenant", "b", "--tenant", "a", "--role", "tenant_admin", "--expires-in", "90d"];
    keys(&system, &both).await;
    assert_eq!(connect(&system, "any", "admin", admin.trim()).await, 101);

    let listed: Value = serde_json::from_str(&keys(&system, &["list", "--output", "json"]).await.stdout).unwrap();
    let names: Vec<_> = listed[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        names,
        ["createdAt", "expiresAt", "lastUsedAt", "name", "role", "servicePath", "tenants"],
        "and no hash"
    );
    assert_eq!((&listed[0]["name"], &listed[0]["role"]), (&json!("admin"), &json!("super_admin")));
    assert!(listed[0]["lastUsedAt"].is_string() && listed[0]["expiresAt"].is_null());
    assert_eq!((&listed[1]["tenants"], &listed[1]["lastUsedAt"]), (&json!(["a", "b"]), &Value::Null));

    let table = keys(&system, &["list"]).await.stdout;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 3, "{table}");
    assert_eq!((rows[1][0], rows[1][1], rows[1][2]), ("admin", "super_admin", "all"), "{table}");
    assert!(table.contains("in 89 days") && !table.contains("es_"), "{table}");
}

#[tokio::test]
async fn a_publisher_has_a_service_path_and_does_not_listen() {
    let system = guarded().await;
    let limited = ["create", "orion", "--tenant", "demo", "--role", "publisher", "--service-path", "/madrid/#"];
    let key = keys(&system, &limited).await.stdout;
    assert_eq!(connect(&system, "demo", "orion", key.trim()).await, 403);
    let table = keys(&system, &["list"]).await.stdout;
    assert!(table.contains("publisher") && table.contains("demo in /madrid/#"), "{table}");
    for (arguments, reason) in [
        (&["--role", "publisher", "--service-path", "madrid"], "begins with a slash"),
        (&["--role", "user", "--service-path", "/madrid"], "--service-path limits a publisher"),
    ] {
        let ended = keys(&system, &[&["create", "other", "--tenant", "demo"], &arguments[..]].concat()).await;
        assert!(ended.code != Some(0) && ended.stderr.contains(reason), "{ended:?}");
    }
}

#[tokio::test]
async fn a_slip_changes_nothing_and_is_named() {
    let system = guarded().await;
    let first = keys(&system, &["create", "robot", "--tenant", "demo"]).await;
    let again = keys(&system, &["create", "robot", "--tenant", "city"]).await;
    assert_eq!((again.code, again.stdout.as_str()), (Some(1), ""));
    assert!(again.stderr.contains(": a key of this name exists") && again.stderr.contains("key "), "{again:?}");
    assert_eq!(connect(&system, "demo", "robot", first.stdout.trim()).await, 101, "it is still the first one");
    let unknown = keys(&system, &["revoke", "unknown"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains(": there is no key of this name"), "{unknown:?}");

    let (_closed, address) = closed_port();
    let url = format!("http://{address}");
    let ended = run(&["keys", "list", "--dynamodb-url", &url]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("is `entity-stream local` running there?"), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[tokio::test]
async fn a_deployed_table_is_reached_as_the_machine_is_configured() {
    let system = guarded().await;
    let url = system.dynamodb_url();
    let environment =
        [("AWS_ENDPOINT_URL_DYNAMODB", url.as_str()), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    let on_aws = async |args: &[&str], table: &str| {
        run_with(&[&["keys"], args, &["--keys-table", table, "--region", "us-east-1"]].concat(), &environment, "").await
    };
    let created = on_aws(&["create", "robot", "--tenant", "demo"], API_KEYS_TABLE).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    assert_eq!(connect(&system, "demo", "robot", created.stdout.trim()).await, 101);
    assert!(on_aws(&["list"], API_KEYS_TABLE).await.stdout.contains("robot"));
    let missing = on_aws(&["list"], "nowhere").await;
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("cannot use the table nowhere: DynamoDB: ResourceNotFound"), "{missing:?}");
}

/// A key that was created and not printed has to be revoked.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_key_that_cannot_be_printed_is_named() {
    let system = system().await;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_entity-stream"));
    command.args(["keys", "create", "robot", "--tenant", "demo", "--target", &system.http_url()]);
    let child = command.stdout(full).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("`entity-stream keys revoke robot` removes it") && !said.contains("es_"), "{said}");
}

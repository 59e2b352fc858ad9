//! `local --auth`: the commands of its banner work as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::{Running, run, run_with, start_line, start_with};

const AUTH: [&str; 6] = ["local", "--port", "0", "--dynamodb-port", "0", "--auth"];

/// The content of the banner.
#[derive(Debug, Default)]
struct Banner {
    websocket: String,
    bus: String,
    dynamodb: String,
    /// The command to try.
    command: String,
    secret: Option<String>,
}

async fn banner(system: &mut Running) -> Banner {
    let mut banner = Banner::default();
    loop {
        let line = system.line().await;
        let url = || line.split_whitespace().find(|word| word.contains("://")).unwrap_or_default().to_owned();
        match line.trim() {
            row if row.starts_with("WebSocket") => banner.websocket = url().split('?').next().unwrap().to_owned(),
            row if row.starts_with("Event bus") => banner.bus = url(),
            row if row.starts_with("DynamoDB") => banner.dynamodb = url(),
            row if row.contains("ENTITY_STREAM_TOKEN=") => banner.command = row.to_owned(),
            row if row.starts_with("export JWT_SECRET=") => {
                banner.secret = row.split_once('=').map(|(_, secret)| secret.to_owned());
            }
            row if row.starts_with("Ctrl-C") => return banner,
            _ => {}
        }
    }
}

async fn publish(banner: &Banner, tenant: &str, id: &str) {
    let what = ["--type", "entityUpdated", "--entity-type", "Room", "--entity-id", id];
    let ended = run(&[&["publish", tenant, "--endpoint-url", &banner.bus], &what[..]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn its_banner_lets_people_in_and_nothing_else_shows_a_credential() {
    let mut system = start_with(&AUTH, &[("RUST_LOG", "trace")]);
    let log = system.collect_stderr();
    let banner = banner(&mut system).await;
    let token = banner.command.split(['=', ' ']).nth(1).unwrap();
    let secret = banner.secret.as_deref().expect("it is fresh");
    assert!(secret.len() >= 32);

    // A client without a token is refused.
    let ended = run(&["listen", "demo", "--url", &banner.websocket]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("a token is required"), "{ended:?}");

    let mut listener = start_line(&format!("{} --count 1", banner.command));
    listener.says("listening to demo").await;
    publish(&banner, "demo", "urn:1").await;
    assert!(listener.line().await.ends_with(" Room urn:1"));
    assert_eq!(listener.exit().await.code(), Some(0));

    // The secret signs more tokens, for another tenant too.
    let ended = run_with(&["token", "--tenant", "city"], &[("JWT_SECRET", secret)], "").await;
    let other = ended.stdout.trim();
    let explained = run_with(&["token", "--inspect", token], &[("JWT_SECRET", secret)], "").await;
    assert_eq!(explained.code, Some(0), "{explained:?}");
    assert!(explained.stdout.contains("tenants   demo\n") && explained.stdout.contains("role      user\n"));
    assert!(explained.stdout.contains("(in 23 h)"), "a day: {explained:?}");
    let arguments = ["listen", "city", "--url", &banner.websocket, "--count", "1"];
    let mut listener = start_with(&arguments, &[("ENTITY_STREAM_TOKEN", other)]);
    listener.says("listening to city").await;
    publish(&banner, "city", "urn:2").await;
    listener.line().await;
    let refused = ["listen", "demo", "--url", &banner.websocket];
    let refused = run_with(&refused, &[("ENTITY_STREAM_TOKEN", other)], "").await;
    assert!(refused.stderr.contains("refused with close code 1008"), "{refused:?}");

    // An API key works too.
    let create = ["keys", "create", "robot", "--tenant", "demo", "--dynamodb-url", &banner.dynamodb];
    let key = run(&create).await.stdout.trim().to_owned();
    let basic = STANDARD.encode(format!("robot:{key}"));
    let mut request = format!("{}/?tenant=demo", banner.websocket).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Basic {basic}").parse().unwrap());
    drop(connect_async(request).await.unwrap());

    system.signal("TERM").await;
    assert_eq!(system.exit().await.code(), Some(0));
    let log = log.await.unwrap();
    assert!(log.contains("TRACE") && log.contains("refused"), "everything is logged");
    let parts = |token: &str| token.split('.').skip(1).map(str::to_owned).collect::<Vec<_>>();
    for credential in [vec![secret.to_owned(), key, basic], parts(token), parts(other)].concat() {
        assert!(credential.len() > 30);
        let found = log.lines().find(|line| line.contains(&credential));
        assert!(found.is_none(), "{found:?}");
    }
}

#[tokio::test]
async fn the_environment_may_let_clients_authenticate_with_their_first_message() {
    let mut system = start_with(&AUTH, &[("AUTH_IN_BAND", "true"), ("ALLOWED_ORIGINS", "https://app.example.com")]);
    let banner = banner(&mut system).await;
    let request = |origin: Option<&'static str>| {
        let mut request = format!("{}/?tenant=demo", banner.websocket).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        request
    };
    let (mut client, _) = connect_async(request(None)).await.unwrap();
    let token = banner.command.split(['=', ' ']).nth(1).unwrap();
    let message = format!(r#"{{"action":"authenticate","token":"{token}"}}"#);
    client.send(Message::text(message)).await.unwrap();
    let answer = client.next().await.unwrap().unwrap();
    assert!(answer.to_text().unwrap().contains(r#""type":"authenticated""#), "{answer:?}");

    let (mut stranger, _) = connect_async(request(Some("https://evil.example.com"))).await.unwrap();
    let close = stranger.next().await.unwrap().unwrap();
    assert!(matches!(&close, Message::Close(Some(frame)) if u16::from(frame.code) == 1008), "{close:?}");
}

#[tokio::test]
async fn a_key_that_is_set_is_used_and_not_shown() {
    let secret = "0123456789abcdef0123456789abcdef";
    let environment = [
        ("JWT_SECRET", secret),
        ("JWT_ISSUER", "me"),
        ("JWT_TENANT_CLAIMS", "org.tenant"),
        ("JWT_ROLE_CLAIM", "org.role"),
    ];
    let mut system = start_with(&[&AUTH[..], &["--simulate", "city"]].concat(), &environment);
    let mine = banner(&mut system).await;
    assert_eq!(mine.secret, None);
    // The city changes all the time: an event can come before the answer to `subscribe`, and ends the command.
    let mut listener = start_line(&format!("{} --count 1", mine.command));
    listener.line().await;
    assert_eq!(listener.exit().await.code(), Some(0));

    // With JWT_JWKS_URL only the identity provider signs tokens.
    let mut system = start_with(&AUTH, &[("JWT_JWKS_URL", "http://localhost:1/keys")]);
    let theirs = banner(&mut system).await;
    assert!(theirs.secret.is_none() && theirs.command.contains("ENTITY_STREAM_TOKEN=... "), "{theirs:?}");
}

#[tokio::test]
async fn a_listener_proves_that_it_has_the_key_of_its_token() {
    let mut system = start_with(&AUTH, &[]);
    let banner = banner(&mut system).await;
    let secret = banner.secret.as_deref().expect("it is fresh");
    let directory = tempfile::tempdir().unwrap();
    let [key, other] = ["key.pem", "other.pem"].map(|name| directory.path().join(name).to_str().unwrap().to_owned());
    let mint = async |key: &str| {
        let ended = run_with(&["token", "--tenant", "demo", "--dpop", key], &[("JWT_SECRET", secret)], "").await;
        ended.stdout.trim().to_owned()
    };
    let token = mint(&key).await;
    mint(&other).await;
    let arguments = ["listen", "demo", "--url", &banner.websocket, "--count", "1"];
    let mut listener = start_with(&arguments, &[("ENTITY_STREAM_TOKEN", &token), ("ENTITY_STREAM_DPOP_KEY", &key)]);
    listener.says("listening to demo").await;
    publish(&banner, "demo", "urn:1").await;
    assert!(listener.line().await.ends_with(" Room urn:1"));
    assert_eq!(listener.exit().await.code(), Some(0));

    let refused = run_with(&arguments, &[("ENTITY_STREAM_TOKEN", &token)], "").await;
    assert!(refused.code == Some(1) && refused.stderr.contains("DPoP proof required"), "{refused:?}");
    let settings = [("ENTITY_STREAM_TOKEN", token.as_str()), ("ENTITY_STREAM_DPOP_KEY", other.as_str())];
    let refused = run_with(&arguments, &settings, "").await;
    let expected = "the DPoP proof is signed with another key than that of the token";
    assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{refused:?}");
    let doctor = ["doctor", "demo", "--url", &banner.websocket, "--dpop-key", &key];
    let ended = run_with(&doctor, &[("ENTITY_STREAM_TOKEN", &token)], "").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_key_is_not_used_for_a_token_that_is_not_bound() {
    let mut system = start_with(&AUTH, &[]);
    let banner = banner(&mut system).await;
    let token = banner.command.split(['=', ' ']).nth(1).unwrap();
    let settings = [("ENTITY_STREAM_TOKEN", token), ("ENTITY_STREAM_DPOP_KEY", "/no/such/key.pem")];
    let mut listener = start_with(&["listen", "demo", "--url", &banner.websocket, "--count", "1"], &settings);
    listener.says("warning: the token is not bound to a key (cnf.jkt); --dpop-key is not used").await;
    listener.says("listening to demo").await;
    publish(&banner, "demo", "urn:1").await;
    assert!(listener.line().await.ends_with(" Room urn:1"));
    assert_eq!(listener.exit().await.code(), Some(0));
}

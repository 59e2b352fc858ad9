//! Origins, credentials, and connections without a credential.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity_stream_auth::{ApiKeyRecord, Role};
use entity_stream_connections::Authorisation;
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_runtime::{AwsServices, ConnectConfig, Environment, SecretError};
use entity_stream_testing::tokens::{SECRET, claims, in_seconds, token, user};
use entity_stream_testing::{Endpoint, Hands, Reply, aws_config};
use serde_json::json;

use crate::support::{GUARDED, OPEN, Setting, handshake, set_query};

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let setting = Setting::new(&[OPEN, &[("ALLOWED_ORIGINS", "https://app.example.com, https://*.example.org")]]).await;
    let (allowed, subdomain, other) = ("https://app.example.com", "https://a.example.org", "https://evil.example.net");
    for (origins, status) in [
        (&[][..], 200),
        (&[("Origin", allowed)], 200),
        (&[("Origin", subdomain)], 200),
        (&[("Origin", other)], 403),
        (&[("Origin", "null")], 403),
        (&[("Origin", other), ("Origin", allowed)], 403),
        (&[("Origin", allowed), ("Origin", allowed)], 200),
    ] {
        let event = handshake(origins);
        assert_eq!(setting.status(event.clone()).await, status, "{origins:?}");
        let registered = setting.registered(&event).await;
        assert_eq!(registered.is_some(), status == 200, "{origins:?}");
        if let Some(connection) = registered {
            setting.table.forget(&connection.id).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_token_grants_its_subject_the_tenant_until_it_expires() {
    let setting = Setting::new(&[GUARDED]).await;
    let mut claims = claims("demo");
    claims["exp"] = json!(in_seconds(600));
    let event = handshake(&[("Authorization", &bearer(&token(&claims)))]);
    assert_eq!(setting.status(event.clone()).await, 200);
    let Authorisation::Granted(grant) = setting.registered(&event).await.unwrap().authorisation else {
        panic!("the connection has no grant");
    };
    assert_eq!((grant.subject.as_str(), grant.role.as_str()), ("alice", "user"));
    assert_eq!(grant.until, Some(EpochMillis::new(claims["exp"].as_i64().unwrap() * 1000)));
}

#[tokio::test]
async fn without_the_right_credential_nothing_is_registered() {
    let setting = Setting::new(&[GUARDED]).await;
    let expired = token(&json!({ "sub": "alice", "role": "user", "tenant": "demo", "exp": in_seconds(-60) }));
    for (headers, status) in [
        (Vec::new(), 401),
        (vec![("Authorization", bearer(&user("other")))], 403),
        (vec![("Authorization", bearer(&expired))], 401),
        (vec![("Authorization", bearer("e30.e30.x"))], 401),
        (vec![("Authorization", format!("Basic {}", STANDARD.encode("robot:wrong")))], 401),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let event = handshake(&headers);
        let response = setting.invoke(event.clone()).await;
        assert_eq!(response["statusCode"], status, "{headers:?}: {response}");
        assert!(!response.to_string().contains("eyJ"), "the answer repeats no token: {response}");
        assert_eq!(setting.registered(&event).await, None, "{headers:?}");
    }
}

/// A check that costs little comes before one that costs more. The pattern of a refused client is never compiled.
#[tokio::test]
async fn the_handshake_is_checked_in_order() {
    let settings = [("ALLOWED_ORIGINS", "https://app.example.com"), ("MAX_CONNECTIONS_PER_SUBJECT", "1")];
    let setting = Setting::new(&[GUARDED, &settings]).await;
    let (page, credential) = (("Origin", "https://app.example.com"), bearer(&user("demo")));
    let credential = ("Authorization", credential.as_str());
    let (bad_tenant, bad_pattern) = (("tenant", "a#b"), [("tenant", "demo"), ("idPattern", "(")]);
    let status = async |headers: &[(&str, &str)], query: &[(&str, &str)]| {
        let mut event = handshake(headers);
        set_query(&mut event, query);
        event["requestContext"]["connectedAt"] = json!(in_seconds(0) * 1000);
        setting.status(event).await
    };
    assert_eq!(status(&[("Origin", "https://evil.example.net")], &[bad_tenant]).await, 403, "origin");
    assert_eq!(status(&[page], &[bad_tenant]).await, 400, "tenant");
    assert_eq!(status(&[page], &bad_pattern).await, 401, "credential");
    let other = bearer(&user("other"));
    assert_eq!(status(&[page, ("Authorization", &other)], &bad_pattern).await, 403, "access");
    assert_eq!(status(&[page, credential], &bad_pattern).await, 400, "everything else");
    assert_eq!(status(&[page, credential], &[("tenant", "demo")]).await, 200);
    let mut second = handshake(&[page, credential]);
    set_query(&mut second, &bad_pattern);
    second["requestContext"]["connectionId"] = json!("SecondAMCJA=");
    second["requestContext"]["connectedAt"] = json!(in_seconds(0) * 1000);
    assert_eq!(setting.status(second).await, 429, "quota");
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_waits_for_the_proof() {
    let setting = Setting::new(&[GUARDED]).await;
    let mut claims = claims("demo");
    claims["cnf"] = json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    let event = handshake(&[("Authorization", &bearer(&token(&claims)))]);
    assert_eq!(setting.status(event.clone()).await, 200);
    let connection = setting.registered(&event).await.unwrap();
    let Authorisation::Unproved(unproved) = &connection.authorisation else { panic!("{connection:?}") };
    assert_eq!(
        (unproved.grant.subject.as_str(), unproved.key.as_str()),
        ("alice", claims["cnf"]["jkt"].as_str().unwrap())
    );
    setting.table.forget(&connection.id).await.unwrap();
    claims["cnf"] = json!({ "x5t#S256": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    let response = setting.invoke(handshake(&[("Authorization", &bearer(&token(&claims)))])).await;
    assert_eq!(response["statusCode"], 401, "{response}");
    assert!(response["body"].as_str().unwrap().contains("cnf"), "{response}");
    claims["cnf"] = json!(null);
    assert_eq!(setting.status(handshake(&[("Authorization", &bearer(&token(&claims)))])).await, 200);
}

#[tokio::test]
async fn an_api_key_grants_its_tenants_to_its_name() {
    let setting = Setting::new(&[GUARDED]).await;
    let record = ApiKeyRecord {
        name: "robot".parse().unwrap(),
        role: Role::User,
        tenants: [Tenant::parse("demo").unwrap()].into(),
        service_path: None,
        created_at: EpochMillis::new(in_seconds(0) * 1000),
        last_used_at: None,
        expires_at: None,
    };
    let key = setting.api_keys.create(&record).await.unwrap();
    let basic = format!("Basic {}", STANDARD.encode(format!("robot:{}", key.expose())));
    let event = handshake(&[("Authorization", &basic)]);
    assert_eq!(setting.status(event.clone()).await, 200);
    let authorisation = setting.registered(&event).await.unwrap().authorisation;
    assert_eq!((authorisation.subject(), authorisation.until()), (Some("key:robot"), None));

    let mut event = handshake(&[("Authorization", &basic)]);
    set_query(&mut event, &[("tenant", "other")]);
    assert_eq!(setting.status(event).await, 403);
}

#[tokio::test]
async fn in_band_a_client_without_a_credential_waits_for_its_first_message() {
    let setting = Setting::new(&[GUARDED, &[("AUTH_IN_BAND", "true")]]).await;
    let event = handshake(&[]);
    assert_eq!(setting.status(event.clone()).await, 200);
    assert_eq!(setting.registered(&event).await.unwrap().authorisation, Authorisation::Pending);
    let wrong = handshake(&[("Authorization", &bearer(&user("other")))]);
    assert_eq!(setting.status(wrong).await, 403, "a wrong credential is worse than none");
}

#[tokio::test]
async fn the_secret_comes_from_secrets_manager_at_the_start() {
    let connect = async |reply: Reply| {
        let secrets = Endpoint::script([reply]).await;
        let environment = Environment::new(|name| match name {
            "AUTH_ENABLED" => Some("true".to_owned()),
            "WS_CONNECTIONS_TABLE" | "WS_API_KEYS_TABLE" => Some("table".to_owned()),
            "JWT_SECRET_ARN" => Some("arn:aws:secretsmanager:us-east-1:000000000000:secret:jwt".to_owned()),
            _ => None,
        });
        let aws = AwsServices {
            secrets_manager: aws_config(&secrets.url),
            ..AwsServices::all(aws_config("http://localhost:0"))
        };
        let config = ConnectConfig::read(&environment).unwrap();
        entity_stream_connect::Connect::new(config, &aws, Hands::default().clock()).await.map(drop)
    };
    assert_eq!(connect(Reply::json(json!({ "SecretString": SECRET }).to_string())).await, Ok(()));
    let short = connect(Reply::json(r#"{"SecretString":"hunter2"}"#)).await;
    assert_eq!(short, Err(SecretError::TooShort));
    let denied = Reply::Status(400, &[], r#"{"__type":"AccessDeniedException","Message":"denied"}"#.to_owned());
    let denied = connect(denied).await.unwrap_err().to_string();
    assert_eq!(denied, "the secret of JWT_SECRET_ARN cannot be read: AccessDeniedException: denied");
}

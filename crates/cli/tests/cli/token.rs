use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_clock::Clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Ended, run_with};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Creates a token, which is all of standard output.
async fn mint(args: &[&str], environment: &[(&str, &str)]) -> String {
    let ended = run_with(&[&["token"], args].concat(), environment, "").await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let token = ended.stdout.strip_suffix('\n').unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{token:?}");
    token.to_owned()
}

/// Explains a token, and checks that the explanation does not contain it.
async fn inspect(token: &str, more: &[&str], environment: &[(&str, &str)]) -> Ended {
    let ended = run_with(&[&["token", "--inspect", "-"], more].concat(), environment, &format!("{token}\n")).await;
    for part in token.split('.').filter(|part| part.len() > 4) {
        assert!(!format!("{ended:?}").contains(part), "{ended:?}");
    }
    assert!(!format!("{ended:?}").contains(SECRET), "{ended:?}");
    ended
}

/// A token with these claims.
fn signed(header: &Header, claims: &Value, secret: &str) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn seconds_ago(seconds: u64) -> u64 {
    Clock::system().now().seconds() - seconds
}

#[tokio::test]
async fn a_new_token_is_explained_and_accepted() {
    let environment = [("JWT_SECRET", SECRET), ("JWT_ISSUER", "me"), ("USER", "ada")];
    let args = ["--tenant", "Demo", "--tenant", "city", "--role", "tenant_admin", "--expires-in", "44m"];
    let token = mint(&[&args[..], &["--audience", "stream", "--claim", "level=7"]].concat(), &environment).await;
    let ended = inspect(&token, &[], &environment).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    for part in [
        "\"alg\": \"HS256\"",
        "\"level\": 7",
        "\"iss\": \"me\"",
        "\"aud\": \"stream\"",
        "subject   ada\n",
        "role      tenant_admin\n",
        "tenants   city, demo\n",
        "(in 43 min)",
        "would accept it for the tenant city.",
        "would accept it for the tenant demo.",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {ended:?}");
    }

    let as_argument = run_with(&["token", "--inspect", &token, "--tenant", "DEMO"], &environment, "").await;
    assert_eq!(as_argument.code, Some(0), "{as_argument:?}");
    let with_token = [&environment[..], &[("ENTITY_STREAM_TOKEN", token.as_str())]].concat();
    let from_environment = run_with(&["token", "--inspect", "--tenant", "demo"], &with_token, "").await;
    // The age of the token is in the text, and may have grown by a second.
    let without_age = |ended: &Ended| -> Vec<String> {
        ended.stdout.lines().filter(|line| !line.contains("issued")).map(str::to_owned).collect()
    };
    assert_eq!(without_age(&from_environment), without_age(&as_argument));
    assert_eq!(from_environment.code, Some(0), "{from_environment:?}");
}

#[tokio::test]
async fn a_super_admin_needs_no_tenant() {
    let environment = [("JWT_SECRET", SECRET)];
    let token = mint(&["--role", "super_admin"], &environment).await;
    let ended = inspect(&token, &[], &environment).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout.contains("would accept it for every tenant.") && ended.stdout.contains("subject   dev\n"),
        "{ended:?}"
    );
    let ended = inspect(&token, &["--tenant", "any"], &environment).await;
    assert!(ended.stdout.contains("would accept it for the tenant any."), "{ended:?}");
}

#[tokio::test]
async fn a_publishers_token_is_for_notifications() {
    let environment = [("JWT_SECRET", SECRET)];
    let token = mint(&["--role", "publisher", "--tenant", "demo"], &environment).await;
    let ended = inspect(&token, &[], &environment).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let accepted = "The function for notifications would accept it for the tenant demo. A publisher cannot listen.";
    assert!(ended.stdout.contains(accepted), "{ended:?}");
    let other = inspect(&token, &["--tenant", "city"], &environment).await;
    assert!(other.code == Some(1) && other.stderr.contains("not for the tenant city, but for demo"), "{other:?}");
    let claims = json!({
        "sub": "me", "role": "publisher", "tenant": "demo", "exp": seconds_ago(0) + 600, "cnf": { "jkt": "T".repeat(43) },
    });
    let bound = inspect(&signed(&Header::default(), &claims, SECRET), &[], &environment).await;
    assert!(bound.code == Some(1) && bound.stderr.contains("it is bound to a key"), "{bound:?}");
}

#[tokio::test]
async fn a_token_that_functions_would_refuse_is_refused_with_the_reason() {
    let environment = [("JWT_SECRET", SECRET)];
    let good = json!({ "sub": "me", "role": "user", "tenant": "demo", "exp": seconds_ago(0) + 600, "iss": "x" });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&Header::default(), &claims, SECRET)
    };
    let good_token = signed(&Header::default(), &good, SECRET);
    let wrong_secret = signed(&Header::default(), &good, "another secret of more than 32 bytes");
    type Case<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 11] = [
        (&wrong_secret, &[], &[], "wrong signature: it was signed with another key"),
        (&with("exp", seconds_ago(3 * 3600).into()), &[], &[], "expired"),
        (&with("nbf", (seconds_ago(0) + 300).into()), &[], &[], "not valid yet"),
        (&with("exp", Value::Null), &[], &[], "no expiry: its exp is null; expected a time in seconds"),
        (&with("nbf", "soon".into()), &[], &[], "no expiry: its nbf is \"soon\"; expected a time in seconds"),
        (&with("role", "root".into()), &[], &[], "a role is super_admin, tenant_admin, user or publisher"),
        (&with("tenant", "a#b".into()), &[], &[], "it names no tenant in tenant, tenantId or tenantName"),
        (&good_token, &["--tenant", "city"], &[], "it is not for the tenant city, but for demo"),
        (&good_token, &["--issuer", "y"], &[], "its iss is \"x\", and JWT_ISSUER asks for \"y\""),
        (&good_token, &[], &[("JWT_AUDIENCE", "z")], "its aud is missing, and JWT_AUDIENCE asks for \"z\""),
        (&good_token, &[], &[("JWT_TENANT_CLAIMS", "org")], "it names no tenant in org"),
    ];
    for (token, args, more, expected) in cases {
        let ended = inspect(token, args, &[&environment[..], more].concat()).await;
        assert_eq!(ended.code, Some(1), "{expected}: {ended:?}");
        assert!(ended.stderr.starts_with("error: the functions would refuse the token: "), "{ended:?}");
        assert!(ended.stderr.contains(expected) && ended.stderr.lines().count() == 1, "{expected}: {ended:?}");
        assert!(ended.stdout.contains("\"sub\": \"me\""), "{ended:?}");
    }
    for subject in ["key:me", "address:192.0.2.1"] {
        let ended = inspect(&with("sub", subject.into()), &[], &environment).await;
        let prefixes =
            "begins with key:, which is for API keys, or with address:, which is for clients without a credential";
        assert!(ended.code == Some(1) && ended.stderr.contains(prefixes), "{subject}: {ended:?}");
    }
    let expired = inspect(&with("exp", seconds_ago(3 * 3600).into()), &[], &environment).await;
    assert!(expired.stdout.contains("(3 h ago)"), "{expired:?}");
}

#[tokio::test]
async fn without_a_key_a_warning_says_that_the_signature_was_not_checked() {
    let token = mint(&["--tenant", "demo"], &[("JWT_SECRET", SECRET)]).await;
    let ended = inspect(&token, &[], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("The signature was not checked"), "{ended:?}");
    assert!(ended.stdout.contains("would accept it for the tenant demo, if its signature is valid."), "{ended:?}");
    let ended = inspect(&token, &["--tenant", "city"], &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[tokio::test]
async fn a_text_that_is_no_token_is_not_repeated() {
    for text in ["", "secretive", "Bearer se.cret.ive", "secretive.secretive.secretive"] {
        let ended = run_with(&["token", "--inspect", "-"], &[], text).await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("this is not a token") && !ended.stderr.contains("cretive"), "{ended:?}");
    }
    let ended = run_with(&["token", "--inspect", "\u{1b}]0;x"], &[], "").await;
    assert!(!ended.stderr.contains('\u{1b}'), "{ended:?}");
}

#[tokio::test]
async fn a_secret_is_long_and_never_shown() {
    for environment in [&[("JWT_SECRET", "only-31-bytes-are-not-enough-ok")][..], &[("JWT_SECRET", "x")]] {
        for (args, expected) in [
            (
                &["token", "--tenant", "demo"][..],
                "JWT_SECRET is too short: a signing secret has at least 32 bytes; `openssl",
            ),
            (&["token", "--inspect", "e30.e30.x"], "JWT_SECRET is invalid: expected the secret"),
        ] {
            let ended = run_with(args, environment, "").await;
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.stderr.contains(expected), "{ended:?}");
            assert!(!ended.stderr.contains("only-31-bytes"), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn a_secret_can_be_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let path = file("secret", format!("{SECRET}\n").as_bytes());
    // The option overrides the variables.
    let token = mint(&["--tenant", "demo", "--secret-file", &path], &[("JWT_SECRET", "x")]).await;
    assert_eq!(inspect(&token, &[], &[("JWT_SECRET", SECRET)]).await.code, Some(0));
    assert_eq!(inspect(&token, &["--secret-file", &path], &[("JWT_JWKS_URL", "https://h/")]).await.code, Some(0));

    for (content, expected) in
        [(&b"secretive\n"[..], "--secret-file is too short"), (&[0xff; 40], "is not a text file")]
    {
        let ended = run_with(&["token", "--tenant", "demo", "--secret-file", &file("bad", content)], &[], "").await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(expected) && !ended.stderr.contains("secretive"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_secret_can_be_in_secrets_manager() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = |body: String| async move {
        let request: Value = serde_json::from_str(&body).unwrap();
        let id = request["SecretId"].as_str().unwrap().to_owned();
        let known = id.ends_with(":signing");
        let content = json!({ "ARN": id, "Name": "signing", "SecretString": SECRET });
        let unknown = json!({ "__type": "ResourceNotFoundException", "Message": "no such secret" });
        (
            if known { StatusCode::OK } else { StatusCode::BAD_REQUEST },
            if known { content } else { unknown }.to_string(),
        )
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    let arn = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:signing";
    let environment = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("RUST_LOG", "trace"),
    ];
    let ended = run_with(&["token", "--tenant", "demo", "--secret-arn", arn], &environment, "").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let token = ended.stdout.trim();
    assert!(!ended.stderr.contains(SECRET) && !ended.stderr.contains(token), "{}", ended.stderr);
    let with_arn = [&environment[..3], &[("JWT_SECRET_ARN", arn)]].concat();
    let explained = inspect(token, &[], &with_arn).await;
    assert_eq!(explained.code, Some(0), "{explained:?}");
    assert!(!explained.stdout.contains("not checked"), "{explained:?}");

    let ended =
        run_with(&["token", "--tenant", "demo", "--secret-arn", "arn:aws:s:eu-west-1:0:none"], &environment[..3], "")
            .await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("ResourceNotFoundException: no such secret"), "{ended:?}");
}

/// An identity provider: the URL of its one public key, for EdDSA, and its signing key.
async fn identity_provider(key_id: &str) -> (String, EncodingKey) {
    let private = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let public = Ed25519KeyPair::from_pkcs8_maybe_unchecked(private.as_ref()).unwrap();
    let x = URL_SAFE_NO_PAD.encode(public.public_key().as_ref());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": key_id, "x": x }] }).to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let router = Router::new().route("/keys", get(move || async move { set }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, EncodingKey::from_ed_der(private.as_ref()))
}

#[tokio::test]
async fn an_identity_providers_token_is_checked_with_its_keys() {
    let (url, key) = identity_provider("one").await;
    let claims = json!({ "sub": "me", "exp": seconds_ago(0) + 600, "realm_access": { "roles": ["x", "user"] },
        "custom:tenant": "demo" });
    let token = |kid: &str| {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, &claims, &key).unwrap()
    };
    let names = [("JWT_TENANT_CLAIMS", "custom:tenant"), ("JWT_ROLE_CLAIM", "realm_access.roles")];
    let environment = [&names[..], &[("JWT_JWKS_URL", url.as_str())]].concat();
    let ended = inspect(&token("one"), &[], &environment).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in ["\"kid\": \"one\"", "role      user\n", "tenants   demo\n", "would accept it for the tenant demo."] {
        assert!(ended.stdout.contains(part), "{part}: {ended:?}");
    }
    let ended = inspect(&token("two"), &[], &environment).await;
    assert!(ended.stderr.contains("its kid is not among the keys of JWT_JWKS_URL"), "{ended:?}");
    let down = [&names[..], &[("JWT_JWKS_URL", "http://127.0.0.1:1/keys")]].concat();
    let ended = inspect(&token("one"), &[], &down).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("the keys of JWT_JWKS_URL cannot be fetched"), "{ended:?}");
    let with_a_secret = [&names[..], &[("JWT_SECRET", SECRET)]].concat();
    let ended = inspect(&token("one"), &[], &with_a_secret).await;
    assert!(ended.stderr.contains("its alg is \"EdDSA\", which does not fit the configured key"), "{ended:?}");
    let ended = run_with(&["token", "--tenant", "demo"], &environment, "").await;
    assert!(ended.stderr.contains("only its identity provider can sign tokens"), "{ended:?}");
}

#[tokio::test]
async fn a_bound_token_comes_with_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key.pem");
    let (key, environment) = (key.to_str().unwrap(), [("JWT_SECRET", SECRET)]);
    let first = mint(&["--tenant", "demo", "--dpop", key], &environment).await;
    let second = mint(&["--tenant", "demo", "--dpop", key], &environment).await;
    let claims = |token: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
    };
    assert_eq!(claims(&first)["cnf"]["jkt"].as_str().unwrap().len(), 43);
    assert_eq!(claims(&first)["cnf"], claims(&second)["cnf"], "the key in the file is used again");
    let ended = inspect(&first, &[], &environment).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout.contains("accept it for the tenant demo, if the client proves that it has the key (DPoP)."),
        "{ended:?}"
    );
    std::fs::write(key, "not a key").unwrap();
    let ended = run_with(&["token", "--tenant", "demo", "--dpop", key], &environment, "").await;
    assert!(ended.code == Some(1) && ended.stderr.contains("P-256"), "{ended:?}");
}

#[tokio::test]
async fn several_audiences_are_those_of_the_functions() {
    let environment = [("JWT_SECRET", SECRET), ("JWT_AUDIENCE", "stream, web")];
    let token = mint(&["--tenant", "demo"], &environment).await;
    let ended = inspect(&token, &[], &environment).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let other = mint(&["--tenant", "demo", "--audience", "other"], &environment).await;
    let ended = inspect(&other, &[], &environment).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("JWT_AUDIENCE asks for \"stream, web\""), "{ended:?}");
}

#[tokio::test]
async fn roles_have_the_names_of_the_provider() {
    let claims = json!({ "sub": "a", "roles": [{ "name": "editor" }], "tenant": "demo", "exp": 4_102_444_800_u64 });
    let token = signed(&Header::default(), &claims, SECRET);
    let named = [("JWT_SECRET", SECRET), ("JWT_ROLE_CLAIM", "roles"), ("JWT_ROLES", "editor=user")];
    assert_eq!(inspect(&token, &[], &named).await.code, Some(0));
    assert_eq!(inspect(&token, &[], &named[..2]).await.code, Some(1));
    let wrong = [("JWT_SECRET", SECRET), ("JWT_ROLES", "editor=root")];
    let ended = inspect(&token, &[], &wrong).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("JWT_ROLES is invalid"), "{ended:?}");
}

/// The page has the claims of a token of each provider, and the command's output for it.
#[tokio::test]
async fn the_page_shows_what_the_command_says_of_each_providers_token() {
    let page = include_str!("../../../../docs/identity.md");
    let mut sections = 0;
    for section in page.split("\n## ").filter(|section| section.contains("```sh\n")) {
        let block =
            |language: &str| section.split_once(&format!("```{language}\n")).unwrap().1.split_once("```").unwrap().0;
        let settings = block("sh").lines().map(|line| line.strip_prefix("export ").unwrap().split_once('=').unwrap());
        let settings: Vec<_> = settings.map(|(name, value)| (name, value.trim_matches('\''))).collect();
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.c2lnbmF0dXJl", part(r#"{"alg":"RS256","kid":"k"}"#), part(block("json")));
        let ended = inspect(&token, &[], &settings).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        let said = ended.stdout.split_once("In short").unwrap().1;
        // How far away a time is depends on the time of the test.
        let said: Vec<String> = said
            .lines()
            .map(|line| match line.split_once("Z (") {
                Some((time, _)) => format!("{time}Z (…)"),
                None => line.to_owned(),
            })
            .collect();
        assert_eq!(said.join("\n").trim(), block("text").trim_start_matches("In short").trim(), "{section}");
        sections += 1;
    }
    assert_eq!(sections, 7);
}

//! The origins of pages that may connect.

use super::guarded;
use crate::harness::tokens::user;
use crate::harness::{Client, System, config};
use entity_stream_local::{Access, Config, RefuseWith};
use entity_stream_runtime::Environment;

const ORIGINS: &str = "https://app.example.com,https://*.example.org";

async fn status(system: &System, headers: &[(&'static str, &str)]) -> u16 {
    Client::connect(&system.url("tenant=demo"), headers).await.err().map_or(101, |refusal| refusal.status)
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_with_or_without_authentication() {
    let open = Environment::new(|name| (name == "ALLOWED_ORIGINS").then(|| ORIGINS.to_owned()));
    let refuse_with = RefuseWith::Status;
    let open = System::start_with(Config { environment: open, refuse_with, ..config() }).await;
    let guarded = guarded(&[("ALLOWED_ORIGINS", ORIGINS)]).await;
    let bearer = format!("Bearer {}", user("demo"));
    for system in [open, guarded] {
        let token = ("authorization", bearer.as_str());
        for origin in ["https://app.example.com", "https://a.b.example.org"] {
            assert_eq!(status(&system, &[token, ("origin", origin)]).await, 101, "{origin}");
        }
        for origin in ["https://evil.com", "http://app.example.com", "null", "", "https://app.example.com.evil.com"] {
            assert_eq!(status(&system, &[token, ("origin", origin)]).await, 403, "{origin}");
        }
        let both = [token, ("origin", "https://app.example.com"), ("origin", "https://evil.com")];
        assert_eq!(status(&system, &both).await, 403, "two origins");
        assert_eq!(status(&system, &[token]).await, 101, "a client without Origin is not a browser");
    }
}

#[tokio::test]
async fn a_default_port_in_the_setting_is_that_of_a_page_without_one() {
    let system = guarded(&[("ALLOWED_ORIGINS", "https://app.example.com:443")]).await;
    let bearer = format!("Bearer {}", user("demo"));
    let headers = |origin| [("authorization", bearer.as_str()), ("origin", origin)];
    assert_eq!(status(&system, &headers("https://app.example.com")).await, 101);
    assert_eq!(status(&system, &headers("http://app.example.com")).await, 403);
}

#[tokio::test]
async fn without_the_setting_pages_of_this_machine_and_allowed_pages_may_connect() {
    let allowed = || Access { origins: vec!["https://app.example.com".parse().unwrap()], ..Access::default() };
    for refuse_with in [RefuseWith::Status, RefuseWith::Close] {
        let system = System::start_with(Config { refuse_with, access: allowed(), ..config() }).await;
        for origin in ["http://localhost:5173", "http://127.0.0.1:8080", "https://app.example.com"] {
            assert_eq!(status(&system, &[("origin", origin)]).await, 101, "{origin}");
        }
        for origin in ["https://attacker.example", "null", "file://", "http://localhost.attacker.example"] {
            let refused = Client::connect(&system.url("tenant=demo"), &[("origin", origin)]).await.err().unwrap();
            assert!(refused.status == 403 && refused.body.contains("--allow-origin"), "{origin}: {refused:?}");
        }
        assert_eq!(status(&system, &[]).await, 101, "a client without Origin is not a browser");
    }
}

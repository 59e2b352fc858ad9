use std::net::TcpListener;
use std::sync::LazyLock;

use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Config, Credentials, Region};

const VARIABLE: &str = "ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT";

/// The settings of a client of the engine that all tests share. Clients are not shared: a client's open connections end
/// with the runtime of the test that made it.
pub(crate) fn config() -> Builder {
    static ENDPOINT: LazyLock<String> =
        LazyLock::new(|| std::env::var(VARIABLE).ok().filter(|url| !url.is_empty()).unwrap_or_else(start_embedded));
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "entity-stream tests"))
        .endpoint_url(&*ENDPOINT)
}

/// Serves the embedded engine from a thread that lives as long as the process. The listener queues whoever comes before
/// the server is up.
fn start_embedded() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()).await;
        });
    });
    url
}

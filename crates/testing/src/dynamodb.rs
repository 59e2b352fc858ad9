use std::net::TcpListener;
use std::sync::LazyLock;

/// The variable with the URL of another DynamoDB engine. Tests run against it too, so that no test depends on the embedded
/// engine.
const VARIABLE: &str = "ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT";

/// Returns the URL of the DynamoDB engine that all tests of this process share: the embedded engine, or the engine that
/// `ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT` names. Every test creates tables of its own.
///
/// Tests share the engine but no client, because the open connections of a client end with the Tokio runtime of its test.
pub fn dynamodb_url() -> &'static str {
    static URL: LazyLock<String> =
        LazyLock::new(|| std::env::var(VARIABLE).ok().filter(|url| !url.is_empty()).unwrap_or_else(start_embedded));
    &URL
}

/// True if the tests run against a second engine.
pub fn is_second_engine() -> bool {
    std::env::var(VARIABLE).is_ok_and(|url| !url.is_empty())
}

/// Serves the embedded engine from a thread that lives as long as the process. The listener queues early connections until
/// the server runs.
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

//! A sender of messages: a process that reads `COUNT SIZE` from its standard input and answers `done`.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use bytes::Bytes;
use entity_stream_delivery::{ManagementApi, Message, Outcome};
use entity_stream_protocol::ConnectionId;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::CONCURRENCY;

const ID: &str = "XyZ12cdeIAMCJ1g=";

/// Sends with the client of this name until its standard input ends.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(name: &str, url: &str) {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "bench")))
        .endpoint_url(url)
        .build();
    match name {
        "hyper" if url.starts_with("https") => {
            let connector = HttpsConnectorBuilder::new().with_native_roots().unwrap().https_only().enable_http1();
            let client: Client<HttpsConnector<HttpConnector>, _> =
                Client::builder(TokioExecutor::new()).build(connector.build());
            batches(Bytes::from, async |message| post_unsigned(&client, url, message).await).await;
        }
        "hyper" => {
            let client = Client::builder(TokioExecutor::new()).build_http();
            batches(Bytes::from, async |message| post_unsigned(&client, url, message).await).await;
        }
        "ours" => {
            let api = ManagementApi::new(&config, entity_stream_delivery::Endpoint::parse(url).unwrap());
            batches(Message::new, async |message| {
                let id = ConnectionId::parse(ID).unwrap();
                assert_eq!(api.post(&id, &message).await, Outcome::Delivered);
            })
            .await;
        }
        "sdk" => {
            let client = aws_sdk_apigatewaymanagement::Client::new(&config);
            batches(Bytes::from, async |message| {
                client.post_to_connection().connection_id(ID).data(Blob::new(message)).send().await.unwrap();
            })
            .await;
        }
        other => panic!("there is no contender {other}"),
    }
}

/// Reads requests for batches and sends them. A batch shares one message, as the connections of a broadcast do.
async fn batches<M: Clone>(make: impl Fn(Vec<u8>) -> M, post: impl AsyncFn(M)) {
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (count, size) = line.split_once(' ').unwrap();
        let message = make(vec![b'x'; size.parse().unwrap()]);
        let posts = stream::iter(0..count.parse::<usize>().unwrap()).map(|_| post(message.clone()));
        posts.buffer_unordered(CONCURRENCY).collect::<()>().await;
        println!("done");
    }
}

async fn post_unsigned<C>(client: &Client<C, Full<Bytes>>, url: &str, message: Bytes)
where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    let request = Request::post(format!("{url}/@connections/{ID}")).body(Full::new(message)).unwrap();
    let response = client.request(request).await.unwrap();
    assert!(response.status().is_success());
    response.into_body().collect().await.unwrap();
}

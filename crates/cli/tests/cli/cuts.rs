//! A client behind a network that cuts its connections off.

use std::collections::HashSet;
use std::net::SocketAddr;

use entity_stream_client::{Client, EntityStream, StreamItem};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::harness::{PATIENCE, run, system};

/// A network between a client and a server.
pub(crate) struct Network {
    pub(crate) url: String,
    cuts: watch::Sender<u32>,
}

impl Network {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = cut.clone();
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { url, cuts }
    }

    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn next(stream: &mut EntityStream) -> StreamItem {
    timeout(PATIENCE, stream.try_next()).await.unwrap().unwrap().unwrap()
}

async fn until_subscribed(stream: &mut EntityStream) {
    while !matches!(next(stream).await, StreamItem::Subscribed { .. }) {}
}

#[tokio::test]
async fn a_client_that_is_cut_off_again_and_again_has_each_event_once() {
    let system = system().await;
    let server = system.websocket_url().trim_start_matches("ws://localhost:").parse().unwrap();
    let network = Network::start(([127, 0, 0, 1], server).into()).await;
    let mut witness = Client::builder(system.websocket_url(), "demo").connect().unwrap();
    let mut stream = Client::builder(&network.url, "demo").connect().unwrap();
    until_subscribed(&mut witness).await;
    until_subscribed(&mut stream).await;

    let http = system.http_url();
    let args = ["simulate", "demo", "--rate", "50", "--count", "400", "--endpoint-url", &http];
    let published = async {
        let mut ids = HashSet::new();
        while ids.len() < 400 {
            if let StreamItem::Event(event) = next(&mut witness).await {
                assert!(ids.insert(event.message().id.to_string()), "the witness has an event twice");
            }
        }
        ids
    };
    let received = async {
        // Some cuts come among the past events, before the verdict.
        let (mut ids, mut cuts, mut since_cut, mut is_settled) = (HashSet::new(), 0, 0, true);
        while ids.len() < 400 || !is_settled {
            match next(&mut stream).await {
                StreamItem::Event(event) => {
                    assert!(ids.insert(event.message().id.to_string()), "an event came twice");
                    since_cut += 1;
                }
                StreamItem::Recovered { .. } => is_settled = true,
                StreamItem::NotRecovered { reason, .. } => panic!("{reason}"),
                _ => {}
            }
            if cuts < 4 && since_cut >= 20 {
                network.cut();
                (cuts, since_cut, is_settled) = (cuts + 1, 0, false);
            }
        }
        (ids, cuts)
    };
    let (simulated, published, (received, cuts)) = tokio::join!(run(&args), published, received);
    assert_eq!(simulated.code, Some(0), "{simulated:?}");
    assert_eq!((received, cuts), (published, 4));
    stream.close().await;
    witness.close().await;
}

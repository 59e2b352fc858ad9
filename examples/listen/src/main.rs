use entity_stream_client::{Client, ClientError, Filter, StreamItem};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ClientError> {
    let url = std::env::args().nth(1).unwrap_or("ws://localhost:3000".to_owned());
    let mut stream = Client::builder(url, "demo").filter(Filter::new(["Room"], None)?).connect()?;
    while let Some(item) = stream.try_next().await? {
        match item {
            StreamItem::Subscribed { .. } => println!("listening"),
            StreamItem::Event(event) => println!("{} {}", event.message().entity_id, event.frame()),
            StreamItem::Disconnected { error, retry_in, .. } => println!("{error}; next attempt in {retry_in:?}"),
            _ => {}
        }
    }
    Ok(())
}

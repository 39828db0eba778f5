//! The yardstick: what receiving and decoding alone costs. Stock tonic and prost, the default
//! allocator, two workers; it decodes each alert and counts it.
//!
//! Says, for each line it hears, how many it has.

use std::{
    io::stdin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use http::uri::PathAndQuery;
use tonic::{Request, client::Grpc, transport::Endpoint};
use tonic_prost::ProstCodec;

use crate::{
    Failure,
    messages::{Alert, RequestMessage},
};

pub(crate) fn run(relay: &str) -> Result<(), Failure> {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    thread::spawn(move || {
        for _ in stdin().lines() {
            println!("{}", counted.load(Relaxed));
        }
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(subscribe(relay.to_owned(), count))
}

async fn subscribe(relay: String, count: Arc<AtomicU64>) -> Result<(), Failure> {
    // On a worker, as a subscriber of a real program would be.
    tokio::spawn(async move {
        let channel = Endpoint::from_shared(format!("http://{relay}"))?.connect().await?;
        let mut client = Grpc::new(channel);
        client.ready().await?;
        let request = Request::new(RequestMessage { filter: "all".to_owned() });
        let path = PathAndQuery::from_static("/feeder.LogService/WatchAlerts");
        let codec = ProstCodec::<RequestMessage, Alert>::default();
        let mut alerts = client.server_streaming(request, path, codec).await?.into_inner();
        while let Some(alert) = alerts.message().await? {
            std::hint::black_box(&alert);
            count.fetch_add(1, Relaxed);
        }
        Ok(())
    })
    .await?
}

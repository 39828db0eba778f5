//! Doubles of vendors that have no server to run, and of a proxy: one file each, strict as the
//! vendor's pages are.
//!
//! A vendor's file is pure, a request in and an answer out, so that the sinks' own tests and those
//! with a paused clock use it as well. Here it gets a socket, and answers of its own choosing may
//! be put before it.

pub(crate) mod alertmanager;
pub(crate) mod aws;
pub(crate) mod azure;
pub(crate) mod discord;
pub(crate) mod event_hubs;
pub(crate) mod google_chat;
pub(crate) mod loki;
pub(crate) mod mattermost;
pub(crate) mod pagerduty;
pub(crate) mod proxy;
pub(crate) mod rocket_chat;
pub(crate) mod slack;
pub(crate) mod smtp;
pub(crate) mod sysdig;
pub(crate) mod sysdig_events;
pub(crate) mod teams;

use std::{
    collections::VecDeque,
    io::Read as _,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
};
use http::{Response, header};
use tokio::{net::TcpListener, task::JoinHandle};

/// What a vendor that keeps nothing says to a request.
pub(crate) type Answers = fn(&http::Request<Vec<u8>>) -> Response<String>;

/// More than any vendor takes.
const BODY_BYTES_MAX: usize = 1 << 20;

type Script = VecDeque<Response<String>>;

/// A vendor on a port of its own, until it is dropped.
pub(crate) struct Double {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Double {
    pub(crate) async fn start(
        answers: impl FnMut(&http::Request<Vec<u8>>) -> Response<String> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (script, answers) = (Arc::<Mutex<Script>>::default(), Arc::new(Mutex::new(answers)));
        let shared = script.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (script, answers) = (shared.clone(), answers.clone());
            async move {
                let request = whole(request).await;
                let next = script.lock().expect("no panic while it is held").pop_front();
                let answer = next.unwrap_or_else(|| {
                    (answers.lock().expect("no panic while it is held"))(&request)
                });
                answer.map(Body::from)
            }
        });
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a listener that goes on");
        });
        Self { url, script, task }
    }

    /// What the next request is answered, whatever it says.
    pub(crate) fn next(&self, response: Response<String>) {
        self.script.lock().expect("no panic while it is held").push_back(response);
    }
}

/// A vendor that keeps what it takes, on a port of its own.
pub(crate) struct Keeper<V> {
    pub(crate) double: Double,
    vendor: Arc<Mutex<V>>,
}

impl<V: Send + 'static> Keeper<V> {
    pub(crate) async fn start(
        vendor: V,
        answer: fn(&mut V, &http::Request<Vec<u8>>) -> Response<String>,
    ) -> Self {
        let vendor = Arc::new(Mutex::new(vendor));
        let shared = vendor.clone();
        let double = Double::start(move |request| {
            answer(&mut shared.lock().expect("no panic while it is held"), request)
        });
        Self { double: double.await, vendor }
    }

    /// Looks at what it keeps, or changes its mind.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut V) -> T) -> T {
        look(&mut self.vendor.lock().expect("no panic while it is held"))
    }
}

/// A request with its body, whose compression is undone; the header that tells of it stays.
async fn whole(request: Request) -> http::Request<Vec<u8>> {
    let (head, body) = request.into_parts();
    let mut body = to_bytes(body, BODY_BYTES_MAX).await.expect("a body of ours").to_vec();
    if head.headers.get(header::CONTENT_ENCODING).is_some_and(|it| it == "gzip") {
        let sent = std::mem::take(&mut body);
        let whole = flate2::read::GzDecoder::new(&sent[..]).read_to_end(&mut body);
        whole.expect("gzip of ours");
    }
    http::Request::from_parts(head, body)
}

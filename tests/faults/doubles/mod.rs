//! Doubles of vendors that have no server to run: one file a vendor, strict as its pages are.
//!
//! A vendor's file is pure, a request in and an answer out, so that property tests use it as well.
//! Here it gets a socket, and answers of its own choosing may be put before it.

pub(crate) mod aws;
pub(crate) mod azure;
pub(crate) mod discord;
pub(crate) mod event_hubs;
pub(crate) mod google_chat;
pub(crate) mod mattermost;
pub(crate) mod rocket_chat;
pub(crate) mod slack;
pub(crate) mod teams;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
};
use http::Response;
use tokio::{net::TcpListener, task::JoinHandle};

/// What a vendor says to a request.
pub(crate) type Answers = fn(&http::Request<Vec<u8>>) -> Response<String>;

/// More than any vendor takes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A vendor on a port of its own, until it is dropped.
pub(crate) struct Double {
    pub(crate) url: String,
    script: Arc<Mutex<VecDeque<Response<String>>>>,
    task: JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Double {
    pub(crate) async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::new(Mutex::new(VecDeque::new()));
        let router = Router::new().fallback(answer).with_state((answers, script.clone()));
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

type Shared = (Answers, Arc<Mutex<VecDeque<Response<String>>>>);

async fn answer(State((answers, script)): State<Shared>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.expect("a body of ours").to_vec();
    let next = script.lock().expect("no panic while it is held").pop_front();
    let answer = next.unwrap_or_else(|| answers(&http::Request::from_parts(head, body)));
    answer.map(Body::from)
}

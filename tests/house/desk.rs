//! A destination that answers as its vendor's double does, and remembers what it was asked and when.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::Value;
use sidearm::wire::{Attempt, Wire};
use sidearm_sinks::contract::{Http, HttpReply, HttpRequest};
use tokio::time::{Instant, sleep};

type Answers = Box<dyn FnMut(&Request<Vec<u8>>) -> Response<String> + Send>;

/// A vendor's desk; clones are the same.
#[derive(Clone)]
pub(crate) struct Desk {
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<(Instant, Bytes)>>>,
}

impl Desk {
    pub(crate) fn new(
        answers: impl FnMut(&Request<Vec<u8>>) -> Response<String> + Send + 'static,
    ) -> Self {
        Self { answers: Arc::new(Mutex::new(Box::new(answers))), asked: Arc::default() }
    }

    /// The moments of its requests.
    pub(crate) fn times(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    /// The bodies of its requests.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    fn answer(&self, request: HttpRequest) -> HttpReply {
        self.asked.lock().unwrap().push((Instant::now(), request.body.clone()));
        let mut asked = Request::builder().method(&request.method).uri(&request.url);
        *asked.headers_mut().unwrap() = request.headers;
        let asked = asked.body(request.body.to_vec()).unwrap();
        let (head, body) = (self.answers.lock().unwrap())(&asked).into_parts();
        let after = head.headers.get(header::RETRY_AFTER).map(|it| it.to_str().unwrap());
        HttpReply {
            status: head.status.as_u16(),
            retry_after: after.map(|seconds| Duration::from_secs(seconds.parse().unwrap())),
            headers: head.headers,
            body: body.into(),
        }
    }
}

impl Wire<Http> for Desk {
    fn call(&self, request: HttpRequest) -> Attempt<'_, Http> {
        Box::pin(async {
            // A network takes its time; without it a paused clock would never move.
            sleep(Duration::from_millis(1)).await;
            Ok(self.answer(request))
        })
    }
}

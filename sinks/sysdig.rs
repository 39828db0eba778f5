//! Sysdig in its two forms: the agent's Kubernetes audit endpoint, and Sysdig Monitor's custom
//! events.
//!
//! The agent takes nothing but audit events, so each event of KubeArmor's is wrapped as one
//! (`sysdig/audit.rs`): every event goes, and rules read it. Custom events are for people: like
//! events are told as one (`sysdig/events.rs`). Neither knows a handle on copies beyond `auditID`.

pub(crate) mod audit;
pub(crate) mod events;

use http::{HeaderMap, HeaderValue, Method, header};

use crate::contract::{Batch, Encoding, HttpRequest};

/// One JSON object, posted.
fn post(url: String, further: &HeaderMap, batch: &Batch) -> HttpRequest {
    let mut headers = HeaderMap::with_capacity(further.len() + 1);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.extend(further.clone());
    HttpRequest {
        method: Method::POST,
        shown_url: url.clone(),
        url,
        headers,
        body: batch.bytes(),
        encoding: Encoding::Identity,
        message_id: String::new(),
    }
}

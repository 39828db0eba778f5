//! A Rocket.Chat server's incoming integration.

use http::{Request, Response};
use serde_json::{Map, Value, json};

/// What Rocket.Chat says to a request.
pub(crate) fn answer(request: &Request<Vec<u8>>) -> Response<String> {
    let parts: Vec<_> = request.uri().path().split('/').collect();
    match parts[..] {
        ["", "hooks", id, token] if !id.is_empty() && !token.is_empty() => {}
        _ => return refusal(404, "Invalid integration id or token provided."),
    }
    let Ok(body) = serde_json::from_slice::<Map<String, Value>>(request.body()) else {
        return refusal(400, "Invalid JSON");
    };
    let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() && body.get("attachments").is_none_or(Value::is_null) {
        return refusal(400, "error-empty-message");
    }
    if text.chars().count() > 5_000 {
        return refusal(400, "error-message-size-exceeded");
    }
    let body = json!({ "success": true }).to_string();
    Response::builder().status(200).body(body).expect("a response")
}

fn refusal(status: u16, error: &str) -> Response<String> {
    let body = json!({ "success": false, "error": error }).to_string();
    Response::builder().status(status).body(body).expect("a response")
}

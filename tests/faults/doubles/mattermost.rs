//! A Mattermost server's incoming webhook, with the limits of its older releases.

use http::{Request, Response};
use serde_json::{Map, Value, json};

/// What Mattermost says to a request.
pub(crate) fn answer(request: &Request<Vec<u8>>) -> Response<String> {
    let hook = request.uri().path().strip_prefix("/hooks/").unwrap_or_default();
    if hook.len() != 26 || !hook.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return refusal(400, "web.incoming_webhook.invalid.app_error");
    }
    let Ok(body) = serde_json::from_slice::<Map<String, Value>>(request.body()) else {
        return refusal(400, "web.incoming_webhook.parse.app_error");
    };
    let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
    let attachments = body.get("attachments").filter(|list| !list.is_null());
    if text.is_empty() && attachments.is_none() {
        return refusal(400, "web.incoming_webhook.text.app_error");
    }
    if attachments.is_some_and(|list| list.to_string().chars().count() > 7_900) {
        return refusal(400, "web.incoming_webhook.split_props_length.app_error");
    }
    let is_attachment = |one: &Value| {
        one["fallback"].is_string()
            && one["fields"].as_array().is_none_or(|fields| {
                fields.iter().all(|field| field["title"].is_string() && field["value"].is_string())
            })
    };
    match attachments.map(|list| list.as_array().is_some_and(|l| l.iter().all(is_attachment))) {
        Some(false) => refusal(400, "web.incoming_webhook.parse.app_error"),
        _ if text.chars().count() > 16_383 => refusal(400, "model.post.is_valid.msg.app_error"),
        _ => Response::builder().status(200).body("ok".to_owned()).expect("a response"),
    }
}

fn refusal(status: u16, id: &str) -> Response<String> {
    let body =
        json!({ "id": id, "message": "refused", "detailed_error": "", "status_code": status });
    Response::builder().status(status).body(body.to_string()).expect("a response")
}

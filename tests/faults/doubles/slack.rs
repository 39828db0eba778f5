//! Slack as its pages and its users describe it: what it takes, and the words it refuses with.

use http::{Request, Response, header};
use serde_json::{Value, json};

/// What Slack says to a request, by webhook or by `chat.postMessage`.
pub(crate) fn answer(request: &Request<Vec<u8>>) -> Response<String> {
    let path = request.uri().path();
    let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.to_str().is_ok_and(|kind| kind.to_lowercase().starts_with("application/json"))
    });
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    if path == "/api/chat.postMessage" {
        let word = unauthorized(request).or_else(|| fault(&body)).or_else(|| no_channel(&body));
        let answer = match word {
            Some(word) => json!({ "ok": false, "error": word }),
            None => json!({ "ok": true, "channel": body["channel"], "ts": "1772442850.000100" }),
        };
        return plain(200, &answer.to_string());
    }
    let parts: Vec<_> = path.split('/').collect();
    match parts[..] {
        ["", "services", team, hook, secret]
            if [team, hook, secret].iter().all(|p| !p.is_empty()) =>
        {
            match fault(&body) {
                _ if !is_json || !body.is_object() => plain(400, "invalid_payload"),
                Some(word) => plain(400, word),
                None => plain(200, "ok"),
            }
        }
        ["", "services", ..] => plain(404, "no_service"),
        _ => plain(404, "<html>not found</html>"),
    }
}

fn plain(status: u16, body: &str) -> Response<String> {
    Response::builder().status(status).body(body.to_owned()).expect("a response")
}

fn unauthorized(request: &Request<Vec<u8>>) -> Option<&'static str> {
    let Some(header) = request.headers().get(header::AUTHORIZATION) else {
        return Some("not_authed");
    };
    let token = header.to_str().ok().and_then(|header| header.strip_prefix("Bearer "));
    token.is_none_or(|token| !token.starts_with("xoxb-")).then_some("invalid_auth")
}

fn no_channel(body: &Value) -> Option<&'static str> {
    let known = body["channel"].as_str().is_some_and(|channel| {
        (1..=80).contains(&channel.len()) && !channel.contains(char::is_whitespace)
    });
    (!known).then_some("channel_not_found")
}

/// What is wrong with a message, in Slack's own word.
fn fault(body: &Value) -> Option<&'static str> {
    let text = body["text"].as_str().unwrap_or_default();
    let (blocks, attachments) = (&body["blocks"], &body["attachments"]);
    let none = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
    if text.is_empty() && none(blocks) && none(attachments) {
        return Some("no_text");
    }
    if text.chars().count() > 40_000 {
        return Some("msg_too_long");
    }
    let attachments = attachments.as_array().map_or(&[][..], Vec::as_slice);
    if attachments.len() > 100 {
        return Some("too_many_attachments");
    }
    let mut total = 0;
    let lists = attachments.iter().map(|attachment| &attachment["blocks"]).chain([blocks]);
    for list in lists.filter_map(Value::as_array) {
        if list.len() > 50 || !list.iter().all(|block| is_block(block, &mut total)) {
            return Some("invalid_blocks");
        }
    }
    (total > 13_200).then_some("msg_blocks_too_long")
}

fn is_block(block: &Value, total: &mut usize) -> bool {
    match block["type"].as_str() {
        Some("header") => is_text(&block["text"], 150, Some("plain_text"), total),
        Some("section") => {
            let fields = block["fields"].as_array();
            let has_text = !block["text"].is_null();
            (has_text || fields.is_some())
                && (!has_text || is_text(&block["text"], 3_000, None, total))
                && fields.is_none_or(|fields| {
                    (1..=10).contains(&fields.len())
                        && fields.iter().all(|field| is_text(field, 2_000, None, total))
                })
        }
        Some("context") => block["elements"].as_array().is_some_and(|elements| {
            (1..=10).contains(&elements.len())
                && elements.iter().all(|element| is_text(element, 3_000, None, total))
        }),
        Some("divider") => true,
        _ => false,
    }
}

/// A text object: of one of two types, not empty, with the settings of its type alone.
fn is_text(object: &Value, most: usize, kind: Option<&str>, total: &mut usize) -> bool {
    let Some(text) = object["text"].as_str() else { return false };
    let length = text.encode_utf16().count();
    *total += length;
    let of_type = match object["type"].as_str() {
        Some("plain_text") => object["verbatim"].is_null(),
        Some("mrkdwn") => object["emoji"].is_null(),
        _ => false,
    };
    of_type && kind.is_none_or(|kind| object["type"] == kind) && (1..=most).contains(&length)
}

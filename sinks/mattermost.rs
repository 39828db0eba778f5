//! Mattermost: a text and an attachment of fields, by an incoming webhook.
//!
//! <https://developers.mattermost.com/integrate/webhooks/incoming/>

use serde::Deserialize;

use crate::{
    card::{
        Card, attachment,
        chat::{self, Object, Product},
        guise::Members,
        hook::{self, Hooked},
        utf16_len,
    },
    contract::{Entry, Facts, Format, Http, HttpReply, Protocol as _, Verdict},
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build: hook::build::<Mattermost> };

/// Older servers take 7,900 characters of attachments, as JSON.
const ATTACHMENTS_MAX: usize = 7_500;

fn facts() -> Facts {
    Facts {
        name: "mattermost",
        summary: "Mattermost, by an incoming webhook",
        format: Format::Native,
        native: true,
        limits: chat::limits(
            "https://developers.mattermost.com/integrate/reference/message-attachments/",
        ),
        // A server that limits at all takes 10 a second unless told otherwise.
        rate_per_second: Some(5.0),
        digest: Some(chat::DIGEST),
        settings: hook::SETTINGS_LIKE_SLACK,
        tls: true,
        example: "url = \"${env:MATTERMOST_WEBHOOK_URL}\"\n",
        sample_secrets: &[(
            "MATTERMOST_WEBHOOK_URL",
            "https://mattermost.example.com/hooks/t9kq3zb8wyc1rt5nf7lx2vd9hm",
        )],
    }
}

/// Mattermost, as a product among chats.
#[derive(Default)]
pub(crate) struct Mattermost;

impl Product for Mattermost {
    fn write(&self, card: &Card) -> Object {
        attachment::write(card)
    }

    fn fits(&self, body: &Object) -> bool {
        body.get("attachments")
            .is_none_or(|attachments| utf16_len(&attachments.to_string()) <= ATTACHMENTS_MAX)
    }
}

/// A refusal.
#[derive(Deserialize)]
struct Refusal {
    id: String,
}

impl Hooked for Mattermost {
    const MEMBERS: Members = Members::LIKE_SLACK;

    fn verdict(&self, reply: &HttpReply) -> Verdict<Http> {
        let why = reply.summary();
        match serde_json::from_slice::<Refusal>(&reply.body) {
            Ok(refusal) if (400..600).contains(&reply.status) => match cause(&refusal.id) {
                Cause::Record => Verdict::Never(why),
                Cause::Hook => Verdict::Blocked(why),
                Cause::Other => Http::verdict(reply),
            },
            _ if (200..=299).contains(&reply.status) && reply.body.trim_ascii() != b"ok" => {
                Verdict::Blocked(format!("{why}, which is not \"ok\": is it a webhook's address?"))
            }
            _ => Http::verdict(reply),
        }
    }
}

enum Cause {
    /// This message, as it is written.
    Record,
    /// The webhook: unknown, switched off, without its channel or its right.
    Hook,
    Other,
}

/// The cause that a refusal's id names; most are a 400 whatever the cause.
fn cause(id: &str) -> Cause {
    const RECORD: [&str; 5] =
        [".parse.", ".text.", ".split_props_length.", ".attachment", ".decode."];
    let is_hook = id.starts_with("web.incoming_webhook.");
    match RECORD.iter().any(|part| id.contains(part)) || id.starts_with("model.post.is_valid.") {
        true if is_hook || id.starts_with("model.post.") => Cause::Record,
        _ if is_hook => Cause::Hook,
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::reply;

    #[test]
    fn a_refusal_names_its_cause() {
        let id = |id: &str| format!("{{\"id\":\"{id}\",\"message\":\"no\",\"status_code\":400}}");
        for (status, body, expected) in [
            (200, "ok".to_owned(), "accepted"),
            (200, "<html>".to_owned(), "blocked"),
            (400, "<html>".to_owned(), "blocked"),
            (400, id("web.incoming_webhook.invalid.app_error"), "blocked"),
            (403, id("web.incoming_webhook.channel_locked.app_error"), "blocked"),
            (501, id("web.incoming_webhook.disabled.app_error"), "blocked"),
            (400, id("web.incoming_webhook.parse.app_error"), "never"),
            (400, id("web.incoming_webhook.text.app_error"), "never"),
            (400, id("web.incoming_webhook.split_props_length.app_error"), "never"),
            (400, id("model.post.is_valid.msg.app_error"), "never"),
            (500, id("app.post.save.app_error"), "later"),
            (429, String::new(), "later"),
        ] {
            assert_eq!(
                Mattermost.verdict(&reply(status, &body)).name(),
                expected,
                "{status} {body}"
            );
        }
    }
}

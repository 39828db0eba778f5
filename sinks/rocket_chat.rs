//! Rocket.Chat: a text and an attachment of fields, by an incoming integration.
//!
//! <https://docs.rocket.chat/docs/integrations>

use serde::Deserialize;
use serde_json::Value;

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
pub(crate) const ENTRY: Entry = Entry { facts, build: hook::build::<RocketChat> };

/// A server refuses a message of more than 5,000 characters unless told otherwise
/// (`Message_MaxAllowedSize`).
const MESSAGE_MAX: usize = 5_000;

fn facts() -> Facts {
    Facts {
        name: "rocket_chat",
        summary: "Rocket.Chat, by an incoming integration",
        format: Format::Native,
        native: true,
        limits: chat::limits("https://docs.rocket.chat/docs/integrations"),
        // Nothing is published for integrations; a person reads no faster.
        rate_per_second: Some(1.0),
        digest: Some(chat::DIGEST),
        settings: hook::SETTINGS_LIKE_SLACK,
        tls: true,
        example: "url = \"${env:ROCKET_CHAT_WEBHOOK_URL}\"\n",
        sample_secrets: &[(
            "ROCKET_CHAT_WEBHOOK_URL",
            "https://rocket.example.com/hooks/64f0c1d2e3a4b5/Xc7Qm2Lx9Vd3Hm8Zb1w",
        )],
    }
}

/// Rocket.Chat, as a product among chats.
#[derive(Default)]
pub(crate) struct RocketChat;

impl Product for RocketChat {
    fn write(&self, card: &Card) -> Object {
        attachment::write(card)
    }

    /// Nothing but the text is measured.
    fn fits(&self, body: &Object) -> bool {
        let text = body.get("text").and_then(Value::as_str);
        text.is_none_or(|text| utf16_len(text) <= MESSAGE_MAX)
    }
}

/// What the server says of a message.
#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default)]
    error: String,
}

impl Hooked for RocketChat {
    const MEMBERS: Members = Members::LIKE_SLACK;

    fn verdict(&self, reply: &HttpReply) -> Verdict<Http> {
        let why = reply.summary();
        let is_success = (200..=299).contains(&reply.status);
        let Ok(answer) = serde_json::from_slice::<Answer>(&reply.body) else {
            return match is_success {
                true => Verdict::Blocked(format!(
                    "{why}, which is no answer of Rocket.Chat: is it an integration's address?"
                )),
                false => Http::verdict(reply),
            };
        };
        let error = answer.error.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
        match is_success {
            true if answer.success => Verdict::Accepted,
            _ if says(&["too-many-requests", "too many requests"]) => {
                Verdict::Later(reply.retry_after, why)
            }
            _ if says(&[
                "integration",
                "channel",
                "room",
                "token",
                "unauthorized",
                "not-allowed",
            ]) =>
            {
                Verdict::Blocked(why)
            }
            true => Verdict::Never(why),
            false => Http::verdict(reply),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::reply;

    #[test]
    fn success_is_what_the_body_says() {
        let refused = |error: &str| format!("{{\"success\":false,\"error\":\"{error}\"}}");
        for (status, body, expected) in [
            (200, r#"{"success":true}"#.to_owned(), "accepted"),
            (200, "<html>".to_owned(), "blocked"),
            (400, "<html>".to_owned(), "blocked"),
            (200, refused("error-message-size-exceeded"), "never"),
            (400, refused("error-message-size-exceeded"), "never"),
            (400, refused("invalid-channel"), "blocked"),
            (404, refused("Invalid integration id or token provided."), "blocked"),
            (429, refused("error-too-many-requests"), "later"),
            (500, "".to_owned(), "later"),
        ] {
            assert_eq!(
                RocketChat.verdict(&reply(status, &body)).name(),
                expected,
                "{status} {body}"
            );
        }
    }
}

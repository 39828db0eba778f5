//! Google Chat: a card of `cardsV2`, by a space's webhook.
//!
//! Texts of a card are a little HTML, so what an event says is escaped as such; a header and the
//! text for notifications are plain and lose the brackets that `<users/all>` needs.
//! <https://developers.google.com/workspace/chat/quickstart/webhooks>

use serde_json::{Value, json};

use crate::{
    card::{
        Card, Fact, LINK_TEXT,
        chat::{self, Object, Product, defanged},
        colour, fitted,
        hook::{self, Hooked},
        mark, push_html,
    },
    contract::{Entry, Facts, Format, Http, HttpReply, Protocol as _, Verdict},
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build: hook::build::<GoogleChat> };

/// A card may have 32 KB; what surrounds it is counted in.
const BODY_BYTES_MAX: usize = 30_000;
/// The longest `text` of a message, which only a template for the whole body has, in characters.
const MESSAGE_TEXT_MAX: usize = 4_096;
/// The longest text in a card, in UTF-16 units.
const TEXT_MAX: usize = 12_000;

fn facts() -> Facts {
    Facts {
        name: "google_chat",
        summary: "Google Chat, by a space's webhook",
        format: Format::Native,
        native: true,
        limits: chat::limits(
            "https://developers.google.com/workspace/chat/api/reference/rest/v1/CardWithId",
        ),
        // A webhook a second and space: https://developers.google.com/workspace/chat/limits
        rate_per_second: Some(1.0),
        digest: Some(chat::DIGEST),
        settings: hook::SETTINGS,
        tls: true,
        example: "url = \"${env:GOOGLE_CHAT_WEBHOOK_URL}\"\n",
        sample_secrets: &[(
            "GOOGLE_CHAT_WEBHOOK_URL",
            "https://chat.googleapis.com/v1/spaces/AAAAsample0/messages?key=AIzaSySample0Sample0&token=Qm7Lx2Vd9Hm3Zb8w",
        )],
    }
}

/// Google Chat, as a product among chats.
#[derive(Default)]
pub(crate) struct GoogleChat;

impl Product for GoogleChat {
    fn write(&self, card: &Card) -> Object {
        let mut widgets = Vec::with_capacity(card.facts.len() + 2);
        if !card.text.is_empty() {
            widgets.push(json!({ "textParagraph": { "text": escaped(&card.text) } }));
        }
        widgets.extend(card.facts.iter().map(|fact| widget(card, fact)));
        let footer = escaped(&card.footer());
        widgets.push(json!({ "textParagraph": { "text": format!("<i>{footer}</i>") } }));
        if let Some(link) = &card.link {
            let open = json!({ "openLink": { "url": link } });
            let button = json!({ "text": LINK_TEXT, "onClick": open });
            widgets.push(json!({ "buttonList": { "buttons": [button] } }));
        }
        let mut content = json!({ "sections": [{ "widgets": widgets }] });
        if !card.title.is_empty() {
            let title = plain(&format!("{} {}", mark(card.gravity), card.title));
            content["header"] = json!({ "title": title });
        }
        let mut body = Object::new();
        body.insert("fallbackText".into(), plain(&card.headline()).into());
        body.insert("cardsV2".into(), json!([{ "cardId": "event", "card": content }]));
        body
    }

    fn fits(&self, body: &Object) -> bool {
        let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
        chat::json(body).len() <= BODY_BYTES_MAX && text.chars().count() <= MESSAGE_TEXT_MAX
    }
}

/// A label over its value; severity in its colour.
fn widget(card: &Card, fact: &Fact) -> Value {
    let value = escaped(&fact.value);
    let text = match fact.label {
        "Severity" => {
            format!("<font color=\"#{:06x}\"><b>{value}</b></font>", colour(card.gravity))
        }
        _ => value,
    };
    json!({ "decoratedText": { "topLabel": fact.label, "text": text, "wrapText": true } })
}

/// As HTML, lines as they are.
fn escaped(text: &str) -> String {
    fitted(&defanged(text), TEXT_MAX, |c, out| match c {
        '\n' => out.push_str("<br>"),
        c => push_html(c, out),
    })
}

/// Where neither HTML nor an escape is known.
fn plain(text: &str) -> String {
    fitted(&defanged(text), TEXT_MAX, |c, out| {
        out.push(match c {
            '<' => '‹',
            '>' => '›',
            c => c,
        });
    })
}

impl Hooked for GoogleChat {
    /// A message that was posted comes back as an object with its `name`.
    fn verdict(&self, reply: &HttpReply) -> Verdict<Http> {
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let told = answer["error"]["code"].as_u64().and_then(|code| u16::try_from(code).ok());
        match (reply.status, told) {
            (200..=299, Some(status)) => Http::verdict(&HttpReply { status, ..reply.clone() }),
            (200..=299, None) if !answer["name"].is_string() => Verdict::Blocked(format!(
                "{}, which is no message of Google Chat: is it a webhook's address?",
                reply.summary()
            )),
            _ => Http::verdict(reply),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::reply;

    #[test]
    fn a_message_comes_back_where_it_was_posted() {
        let error = |code: u16| format!("{{\"error\":{{\"code\":{code},\"status\":\"X\"}}}}");
        for (status, body, expected) in [
            (200, r#"{"name":"spaces/A/messages/b"}"#.to_owned(), "accepted"),
            (200, "<html>sign in</html>".to_owned(), "blocked"),
            (200, error(429), "later"),
            (400, error(400), "never"),
            (400, "<html>blocked by policy</html>".to_owned(), "blocked"),
            (403, error(403), "blocked"),
            (404, error(404), "blocked"),
            (429, error(429), "later"),
            (503, error(503), "later"),
        ] {
            assert_eq!(
                GoogleChat.verdict(&reply(status, &body)).name(),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn html_and_mentions_are_text() {
        assert_eq!(
            escaped("<b>\n<users/all> & https://x"),
            "&lt;b&gt;<br>&lt;users/all&gt; &amp; https[:]//x"
        );
        assert_eq!(plain("<users/all> www.x"), "‹users/all› www[.]x");
    }
}

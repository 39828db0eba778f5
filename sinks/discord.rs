//! Discord: an embed, by a webhook.
//!
//! What an event says stands in spans of code, or with every mark of markup escaped; mentions are
//! switched off as well. <https://discord.com/developers/docs/resources/webhook#execute-webhook>

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    card::{
        Card, Fact, LINK_TEXT,
        chat::{self, Object, Product},
        colour, fitted,
        guise::Members,
        hook::{self, Hooked},
        mark, utf16_len,
    },
    contract::{Entry, Facts, Format, Http, HttpReply, Protocol as _, SecretUrl, Verdict},
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build: hook::build::<Discord> };

/// <https://discord.com/developers/docs/resources/message#embed-object-embed-limits>
const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 4_096;
const VALUE_MAX: usize = 1_024;
const FOOTER_MAX: usize = 2_048;
/// Of a field, and of an author.
const NAME_MAX: usize = 256;
/// Fields of an embed.
const FIELDS_MAX: usize = 25;
/// The text beside the embeds.
const CONTENT_MAX: usize = 2_000;
/// Embeds of a message.
const EMBEDS_COUNT_MAX: usize = 10;
/// All texts of all embeds of a message.
const EMBEDS_MAX: usize = 6_000;
/// Fields longer than this take a line of their own, in UTF-16 units.
const INLINE_MAX: usize = 40;

fn facts() -> Facts {
    Facts {
        name: "discord",
        summary: "Discord, by a webhook",
        format: Format::Native,
        native: true,
        limits: chat::limits(
            "https://discord.com/developers/docs/resources/message#embed-object-embed-limits",
        ),
        // Five in two seconds and webhook.
        rate_per_second: Some(2.5),
        digest: Some(chat::DIGEST),
        settings: hook::SETTINGS_WITH_NAME,
        tls: true,
        example: "url = \"${env:DISCORD_WEBHOOK_URL}\"\n",
        sample_secrets: &[(
            "DISCORD_WEBHOOK_URL",
            "https://discord.com/api/webhooks/1150000000000000000/w8Kx3vTq9Zr2Lm6Np4Sd7Fg1Hj5",
        )],
    }
}

/// Discord, as a product among chats.
#[derive(Default)]
pub(crate) struct Discord;

impl Product for Discord {
    fn write(&self, card: &Card) -> Object {
        let mut embed = json!({
            "color": colour(card.gravity),
            "footer": { "text": card.footer() },
        });
        if !card.title.is_empty() {
            let title = escaped(&format!("{} {}", mark(card.gravity), card.title), TITLE_MAX);
            embed["title"] = title.into();
        }
        if let Some(link) = &card.link {
            // Discord makes a link of the title alone.
            embed["url"] = link.as_str().into();
            if card.title.is_empty() {
                embed["title"] = LINK_TEXT.into();
            }
        }
        if !card.text.is_empty() {
            embed["description"] = escaped(&card.text, DESCRIPTION_MAX).into();
        }
        if !card.facts.is_empty() {
            embed["fields"] = card.facts.iter().map(field).collect();
        }
        if let Some(time) = timestamp(card.time_us) {
            embed["timestamp"] = time.into();
        }
        let mut body = Object::new();
        body.insert("embeds".into(), json!([embed]));
        body
    }

    fn complete(&self, body: &mut Object) {
        body.entry("allowed_mentions").or_insert_with(|| json!({ "parse": [] }));
    }

    fn fits(&self, body: &Object) -> bool {
        let embeds = body.get("embeds").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        body.get("content").is_none_or(|content| len(content) <= CONTENT_MAX)
            && embeds.len() <= EMBEDS_COUNT_MAX
            && embeds.iter().all(embed_fits)
            && embeds.iter().map(texts).sum::<usize>() <= EMBEDS_MAX
    }
}

fn field(fact: &Fact) -> Value {
    let value = match fact.literal {
        true => format!("`{}`", code(&fact.value, VALUE_MAX - "``".len())),
        false => escaped(&fact.value, VALUE_MAX),
    };
    json!({ "name": fact.label, "inline": utf16_len(&value) <= INLINE_MAX, "value": value })
}

/// A span of code ends at a grave accent and acts upon nothing else.
fn code(text: &str, most: usize) -> String {
    fitted(text, most, |c, out| out.push(if c == '`' { '\u{2cb}' } else { c }))
}

/// Discord shows a mark behind a backslash as it is. The colon begins what an address goes on
/// with, and an emoji.
fn escaped(text: &str, most: usize) -> String {
    fitted(text, most, |c, out| {
        if matches!(
            c,
            '\\' | '*'
                | '_'
                | '~'
                | '`'
                | '|'
                | '<'
                | '>'
                | '['
                | ']'
                | '('
                | ')'
                | '@'
                | '#'
                | ':'
        ) {
            out.push('\\');
        }
        out.push(c);
    })
}

/// Discord shows it in the time zone of whoever looks; nothing for years it does not know.
fn timestamp(time_us: i64) -> Option<String> {
    let time = jiff::Timestamp::from_microsecond(time_us).ok()?;
    let year = time.strftime("%Y").to_string();
    let is_plain = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

fn len(text: &Value) -> usize {
    text.as_str().map_or(0, utf16_len)
}

/// Whether each of its texts is inside its own limit.
fn embed_fits(embed: &Value) -> bool {
    len(&embed["title"]) <= TITLE_MAX
        && len(&embed["description"]) <= DESCRIPTION_MAX
        && len(&embed["footer"]["text"]) <= FOOTER_MAX
        && len(&embed["author"]["name"]) <= NAME_MAX
        && fields(embed).count() <= FIELDS_MAX
        && fields(embed)
            .all(|field| len(&field["name"]) <= NAME_MAX && len(&field["value"]) <= VALUE_MAX)
}

fn fields(embed: &Value) -> impl Iterator<Item = &Value> {
    embed["fields"].as_array().into_iter().flatten()
}

/// What counts towards the limit of all embeds.
fn texts(embed: &Value) -> usize {
    let fields = fields(embed).map(|field| len(&field["name"]) + len(&field["value"]));
    len(&embed["title"])
        + len(&embed["description"])
        + len(&embed["footer"]["text"])
        + len(&embed["author"]["name"])
        + fields.sum::<usize>()
}

/// Whether it is the message that was posted. 204 is the answer where an address has `wait=false`.
fn is_message(reply: &HttpReply) -> bool {
    #[derive(Deserialize)]
    struct Message {
        #[serde(rename = "id")]
        _id: String,
    }
    reply.status == 204 || serde_json::from_slice::<Message>(&reply.body).is_ok()
}

/// The answer to too many requests.
#[derive(Deserialize)]
struct Limited {
    /// Seconds, with a fraction.
    retry_after: f64,
}

impl Hooked for Discord {
    const MEMBERS: Members =
        Members { username: Some("username"), icon_url: Some("avatar_url"), ..Members::NONE };

    /// Then the answer is the message, once it is posted.
    fn address(&self, url: &SecretUrl) -> String {
        let url = url.reveal();
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{url}{mark}wait=true")
    }

    fn verdict(&self, reply: &HttpReply) -> Verdict<Http> {
        if reply.status != 429 {
            return match Http::verdict(reply) {
                Verdict::Accepted if !is_message(reply) => Verdict::Blocked(format!(
                    "{}, which is no message of Discord: is it a webhook's address?",
                    reply.summary()
                )),
                verdict => verdict,
            };
        }
        let told = serde_json::from_slice::<Limited>(&reply.body).ok();
        let told = told.and_then(|limited| Duration::try_from_secs_f64(limited.retry_after).ok());
        Verdict::Later(told.max(reply.retry_after), reply.summary())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::reply;

    #[test]
    fn too_many_requests_say_when_to_come_again() {
        let body =
            r#"{"message":"You are being rate limited.","retry_after":1.337,"global":false}"#;
        let hint = Some(Duration::from_secs(2));
        for (retry_after, expected) in
            [(None, Duration::from_millis(1_337)), (hint, Duration::from_secs(2))]
        {
            let answer = HttpReply { retry_after, ..reply(429, body) };
            let Verdict::Later(after, _) = Discord.verdict(&answer) else { panic!("not later") };
            assert_eq!(after, Some(expected));
        }
        assert_eq!(Discord.verdict(&reply(429, "{\"retry_after\":-1}")).name(), "later");
    }

    #[test]
    fn refusals_are_of_the_message_or_of_the_webhook() {
        for (status, body, expected) in [
            (200, r#"{"id":"1"}"#, "accepted"),
            (204, "", "accepted"),
            (200, "", "blocked"),
            (200, "ok", "blocked"),
            (200, r#"{"message":"welcome"}"#, "blocked"),
            (200, "<html>sign in</html>", "blocked"),
            (400, "<html>blocked by policy</html>", "blocked"),
            (400, r#"{"message":"Invalid Form Body","code":50035,"errors":{}}"#, "never"),
            (400, r#"{"message":"Cannot send an empty message","code":50006}"#, "never"),
            (401, r#"{"message":"Invalid Webhook Token","code":50027}"#, "blocked"),
            (404, r#"{"message":"Unknown Webhook","code":10015}"#, "blocked"),
            (413, "", "smaller"),
            (500, "", "later"),
        ] {
            assert_eq!(Discord.verdict(&reply(status, body)).name(), expected, "{status} {body}");
        }
    }

    #[test]
    fn the_answer_is_waited_for_whatever_the_address_has() {
        for (url, asked) in [
            (
                "https://discord.com/api/webhooks/1/t",
                "https://discord.com/api/webhooks/1/t?wait=true",
            ),
            (
                "https://d/api/webhooks/1/t?thread_id=2",
                "https://d/api/webhooks/1/t?thread_id=2&wait=true",
            ),
        ] {
            assert_eq!(Discord.address(&SecretUrl::parse(url).expect("an address")), asked);
        }
    }
}

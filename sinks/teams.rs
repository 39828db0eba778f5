//! Microsoft Teams: an Adaptive Card, by a webhook of Workflows.
//!
//! 202 says that the flow was started, and nothing of what became of the card: the flow fails in
//! silence where a card is too large or has no `attachments`, so neither ever leaves. The older
//! connectors, and what stands in for them, tell of trouble inside a 200: a page there is nobody's
//! answer, and what speaks of an error is a refusal.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    card::{
        Card, LINK_TEXT,
        chat::{self, Object, Product, defanged},
        fitted,
        hook::{self, Hooked},
        mark, utf16_len,
    },
    contract::{
        DigestDefaults, Entry, Facts, Format, Gravity, Http, HttpReply, Protocol as _, Verdict,
    },
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build: hook::build::<Teams> };

/// Teams counts the whole message as UTF-16 and takes 28 KiB. What it adds itself it counts too
/// (18 % were seen), so a request stays this much below.
const BODY_UTF16_BYTES_MAX: usize = 24_000;
/// The text of a template, in UTF-16 units.
const TEXT_MAX: usize = 8_000;

fn facts() -> Facts {
    Facts {
        name: "teams",
        summary: "Microsoft Teams, by a webhook of Workflows",
        format: Format::Native,
        native: true,
        limits: chat::limits(
            "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using",
        ),
        // 60 in 30 s; 100 an hour, 150 in two and 1,800 a day are kept by the digest's 60 an hour.
        rate_per_second: Some(2.0),
        digest: Some(DigestDefaults {
            every: Duration::from_secs(600),
            per_hour: 60,
            resolves: false,
        }),
        settings: hook::SETTINGS,
        tls: true,
        example: "url = \"${env:TEAMS_WORKFLOW_URL}\"\n",
        sample_secrets: &[(
            "TEAMS_WORKFLOW_URL",
            "https://prod-17.westeurope.logic.azure.com:443/workflows/3f1c6d/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=Zt8fJw2mQ",
        )],
    }
}

/// Teams, as a product among chats.
#[derive(Default)]
pub(crate) struct Teams;

impl Product for Teams {
    fn write(&self, card: &Card) -> Object {
        let mut content = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.5",
            "msteams": { "width": "Full" },
            "body": elements(card),
        });
        if let Some(link) = &card.link {
            content["actions"] =
                json!([{ "type": "Action.OpenUrl", "title": LINK_TEXT, "url": link }]);
        }
        let attachment = json!({
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": content,
        });
        let mut body = Object::new();
        body.insert("type".into(), "message".into());
        body.insert("attachments".into(), json!([attachment]));
        body
    }

    fn fits(&self, body: &Object) -> bool {
        2 * utf16_len(&chat::json(body)) <= BODY_UTF16_BYTES_MAX
    }

    fn lacks(&self, body: &Object) -> Option<&'static str> {
        let attachments = body.get("attachments").and_then(Value::as_array);
        attachments.is_none_or(Vec::is_empty).then_some("has no `attachments`")
    }
}

fn elements(card: &Card) -> Vec<Value> {
    let mut body = Vec::with_capacity(4);
    if !card.title.is_empty() {
        let title = format!("{} {}", mark(card.gravity), escaped(&card.title, TEXT_MAX));
        let title = json!({
            "type": "TextBlock", "text": title, "wrap": true, "weight": "Bolder", "size": "Large",
        });
        body.push(json!({
            "type": "Container", "style": style(card.gravity), "bleed": true, "items": [title],
        }));
    }
    if !card.text.is_empty() {
        // A line ends where a paragraph does.
        let text = escaped(&card.text, TEXT_MAX).replace('\n', "\n\n");
        body.push(json!({ "type": "TextBlock", "text": text, "wrap": true }));
    }
    if !card.facts.is_empty() {
        let facts: Vec<_> = card
            .facts
            .iter()
            .map(|fact| json!({ "title": fact.label, "value": escaped(&fact.value, TEXT_MAX) }))
            .collect();
        body.push(json!({ "type": "FactSet", "facts": facts }));
    }
    body.push(json!({
        "type": "TextBlock", "text": card.footer(), "wrap": true, "isSubtle": true, "size": "Small",
    }));
    body
}

/// Container styles are what a card has of colours.
fn style(gravity: Gravity) -> &'static str {
    match gravity {
        Gravity::Critical | Gravity::High => "attention",
        Gravity::Medium => "warning",
        Gravity::Low => "accent",
        Gravity::Info => "emphasis",
    }
}

/// What Markdown would act upon, and the call signs of a card's own functions, `{{DATE(...)}}`.
fn escaped(text: &str, most: usize) -> String {
    fitted(&defanged(text), most, |c, out| {
        if matches!(
            c,
            '\\' | '`'
                | '*'
                | '_'
                | '~'
                | '#'
                | '&'
                | '<'
                | '>'
                | '['
                | ']'
                | '('
                | ')'
                | '{'
                | '}'
        ) {
            out.push('\\');
        }
        out.push(c);
    })
}

impl Hooked for Teams {
    fn verdict(&self, reply: &HttpReply) -> Verdict<Http> {
        let text = String::from_utf8_lossy(&reply.body).to_lowercase();
        // A flow that is switched off is a bad request, too.
        let is_off = || OFF.iter().any(|word| text.contains(word));
        match (reply.status, told_error(&text)) {
            (200..=299, Some(status)) => Http::verdict(&HttpReply { status, ..reply.clone() }),
            (200..=299, None) if is_failure(&text) => match is_off() {
                true => Verdict::Blocked(reply.summary()),
                false => Verdict::Never(reply.summary()),
            },
            (400, _) if is_off() => Verdict::Blocked(reply.summary()),
            _ => Http::verdict(reply),
        }
    }
}

/// Whether an answer without a status speaks of an error all the same: a flow's, as JSON, or a
/// connector's, in words.
fn is_failure(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(answer) => answer.get("error").is_some_and(|error| !error.is_null()),
        Err(_) => text.contains("delivery failed with error"),
    }
}

/// Codes of Azure Logic Apps for a trigger that takes nothing from us.
const OFF: [&str; 6] = [
    "notenabled",
    "disabled",
    "suspended",
    "workflownotfound",
    "authorization",
    "authenticationfailed",
];

/// The status told in a text such as `endpoint returned HTTP error 429 with ContextId ...`.
fn told_error(text: &str) -> Option<u16> {
    text.split("error").skip(1).find_map(|rest| {
        let rest = rest.trim_start_matches([':', ' ', '=']);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let status = rest[..digits].parse().ok()?;
        (400..600).contains(&status).then_some(status)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::reply;

    #[test]
    fn trouble_is_told_inside_a_success() {
        let legacy = |status: u16| {
            format!(
                "Webhook message delivery failed with error: Microsoft Teams endpoint returned \
                 HTTP error {status} with ContextId tcid=1"
            )
        };
        let flow = |code: &str| format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"no\"}}}}");
        for (status, body, expected) in [
            (202, String::new(), "accepted"),
            (200, "1".to_owned(), "accepted"),
            (200, legacy(429), "later"),
            (200, legacy(413), "smaller"),
            (202, legacy(503), "later"),
            (200, legacy(404), "blocked"),
            (202, "error 400: bad request".to_owned(), "never"),
            (200, "{\"status\":\"queued\",\"error\":null}".to_owned(), "accepted"),
            (200, flow("InvalidRequestContent"), "never"),
            (200, flow("WorkflowTriggerIsNotEnabled"), "blocked"),
            (200, "Webhook message delivery failed with error: none".to_owned(), "never"),
            (200, "<html>sign in</html>".to_owned(), "blocked"),
            (200, "<html>error 400</html>".to_owned(), "blocked"),
            (400, "<html>blocked by policy</html>".to_owned(), "blocked"),
            (400, flow("TriggerInputSchemaMismatch"), "never"),
            (400, flow("InvalidRequestContent"), "never"),
            (400, flow("WorkflowTriggerIsNotEnabled"), "blocked"),
            (401, flow("DirectApiAuthorizationRequired"), "blocked"),
            (404, flow("WorkflowNotFound"), "blocked"),
            (410, String::new(), "blocked"),
            (429, String::new(), "later"),
            (502, flow("NoResponse"), "later"),
        ] {
            assert_eq!(Teams.verdict(&reply(status, &body)).name(), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_waiting_time_is_honoured() {
        let hint = Some(Duration::from_secs(17));
        let answer = reply(200, "endpoint returned HTTP error 429");
        let answer = HttpReply { retry_after: hint, ..answer };
        assert!(matches!(Teams.verdict(&answer), Verdict::Later(after, _) if after == hint));
    }

    #[test]
    fn markdown_and_a_card_s_functions_are_text() {
        assert_eq!(
            escaped("[a](https://x) {{DATE(2026)}} **b**", 200),
            r"\[a\]\(https\[:\]//x\) \{\{DATE\(2026\)\}\} \*\*b\*\*"
        );
    }
}

//! Slack: a card of Block Kit, by an incoming webhook or by `chat.postMessage`.
//!
//! Both forms take the same message; what an answer means stands in `slack/answer.rs`, the
//! message in `slack/blocks.rs`. Slack knows no idempotency: a lost answer may double a message.

mod answer;
mod blocks;

use std::collections::BTreeMap;

use http::{HeaderMap, header};
use serde::Deserialize;

use crate::{
    card::{
        chat::{self, Form, Object, Product},
        guise::{Guise, Icon, Members, Name},
    },
    contract::{
        Batch, Body, Concern, Destination, Entry, Event, Facts, Format, HEADERS, Http,
        HttpConnection, HttpReply, HttpRequest, LINK, LaneView, Link, Prefixed, Secret, SecretUrl,
        Setting, SettingError, Sink, TIMEOUT, Timeout, Tls, Verdict, bearer, headers, read,
    },
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

const POST_MESSAGE: &str = "https://slack.com/api/chat.postMessage";

/// The table `slack` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slack {
    url: Option<SecretUrl>,
    token: Option<Secret>,
    channel: Option<Prefixed>,
    username: Option<Name>,
    icon: Option<Icon>,
    #[serde(default)]
    body: Form,
    link: Option<Link>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
    #[serde(skip)]
    guise: Guise,
    /// `headers`, checked, and the token's.
    #[serde(skip)]
    checked_headers: HeaderMap,
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let mut sink: Slack = read(table)?;
    sink.one_way()?;
    sink.checked_headers = headers(&sink.headers)?;
    sink.guise = Guise { channel: None, username: sink.username.take(), icon: sink.icon.take() };
    if sink.url.is_some() {
        // A webhook's own app decides.
        sink.guise.check(Members::NONE)?;
    }
    if let Some(token) = &sink.token {
        sink.checked_headers.insert(header::AUTHORIZATION, bearer(token)?);
    }
    Ok(Destination::Http(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "slack",
        summary: "Slack, by an incoming webhook or a bot token",
        format: Format::Native,
        native: true,
        limits: chat::limits("https://docs.slack.dev/reference/block-kit/blocks"),
        // One message a second and channel: https://docs.slack.dev/apis/web-api/rate-limits
        rate_per_second: Some(1.0),
        digest: Some(chat::DIGEST),
        settings: SETTINGS,
        tls: true,
        example: "url = \"${env:SLACK_WEBHOOK_URL}\"\n",
        sample_secrets: &[(
            "SLACK_WEBHOOK_URL",
            "https://hooks.slack.com/services/T0SAMPLE0/B0SAMPLE0/kq3Zb8wYc1Rt5Nf7Lx2Vd9Hm",
        )],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "url",
        help: "the incoming webhook's address; it fixes the channel. Either this, or `token` and \
               `channel`",
    },
    Setting {
        key: "token",
        help: "a bot token with the scope chat:write; messages then go by chat.postMessage",
    },
    Setting {
        key: "channel",
        help: "with `token`: the channel's id or name; literal text, then fields: \
               \"alerts-{{ NamespaceName }}\"",
    },
    Setting {
        key: "username",
        help: "with `token`, and its scope chat:write.customize: the name shown instead of the \
               bot's",
    },
    Setting {
        key: "icon",
        help: "likewise, the picture: an https:// address, or an emoji as \":shield:\"",
    },
    chat::BODY,
    LINK,
    HEADERS,
    TIMEOUT,
];

impl Sink<Http> for Slack {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let mut message = chat::message(self, self.body, self.link.as_ref(), event, body);
        // Whatever a template wrote there: an event must not choose who reads it.
        if let Some(channel) = &self.channel {
            message.insert("channel".into(), channel.complete(event, in_a_channel).into());
        }
        self.guise.put_on(Members::LIKE_SLACK, &mut message);
        chat::push(&message, record);
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        let (url, shown) = match &self.url {
            Some(url) => (url.reveal(), url.to_string()),
            None => (POST_MESSAGE, POST_MESSAGE.to_owned()),
        };
        chat::post(url, shown, &self.checked_headers, batch)
    }

    fn verdict(&self, _: &Batch, reply: &HttpReply) -> Verdict<Http> {
        let is_routed = self.channel.as_ref().is_some_and(|channel| !channel.is_constant());
        answer::verdict(reply, is_routed)
    }

    fn concerns(&self, lane: &LaneView) -> Vec<Concern> {
        chat::concerns(self.body, lane)
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection::of(&self.tls, self.timeout)
    }
}

impl Product for Slack {
    fn write(&self, card: &crate::card::Card) -> Object {
        blocks::write(card)
    }

    fn fits(&self, body: &Object) -> bool {
        blocks::fits(body)
    }
}

impl Slack {
    /// One of the two ways, and all it needs.
    fn one_way(&self) -> Result<(), SettingError> {
        match (&self.url, &self.token, &self.channel) {
            (Some(_), None, None) | (None, Some(_), Some(_)) => Ok(()),
            (Some(_), Some(_), _) => Err(SettingError::at(
                "token",
                "expected either `url` or `token`, found both: a webhook needs no token",
            )),
            (Some(_), None, Some(_)) => Err(SettingError::at(
                "channel",
                "a webhook's channel is fixed by Slack; `channel` goes with `token`",
            )),
            (None, Some(_), None) => Err(SettingError::at(
                "token",
                "expected `channel` beside `token`, such as channel = \"C0123456789\"",
            )),
            (None, None, Some(_)) => {
                Err(SettingError::at("channel", "expected `token` beside `channel`"))
            }
            (None, None, None) => Err(SettingError::at(
                "",
                "expected `url`, the address of an incoming webhook, or `token` and `channel`",
            )),
        }
    }
}

/// What Slack allows in a channel's name.
fn in_a_channel(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests;

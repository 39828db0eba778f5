//! A chat that needs a webhook's address and no more: its table, and what it does with a batch.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::Deserialize;

use super::{
    chat::{self, Form, Product},
    guise::{CHANNEL, Guise, ICON, Icon, Members, Name, USERNAME},
};
use crate::contract::{
    Batch, Body, Concern, Destination, Event, HEADERS, Http, HttpConnection, HttpReply,
    HttpRequest, LINK, LaneView, Link, Secret, SecretUrl, Setting, SettingError, Sink, TIMEOUT,
    Timeout, Tls, Verdict, headers, read,
};

/// What differs from one such chat to the next.
pub(crate) trait Hooked: Product + Default + Send + Sync + 'static {
    /// By what a message says as whom it comes.
    const MEMBERS: Members = Members::NONE;

    /// What an answer means.
    fn verdict(&self, reply: &HttpReply) -> Verdict<Http>;

    /// The address that is posted to.
    fn address(&self, url: &SecretUrl) -> String {
        url.reveal().to_owned()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: SecretUrl,
    #[serde(default)]
    body: Form,
    link: Option<Link>,
    channel: Option<Name>,
    username: Option<Name>,
    icon: Option<Icon>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
}

const URL: Setting = Setting { key: "url", help: "the webhook's whole address, which is a secret" };

/// The settings of such a chat, where its webhook alone says as whom a message comes.
pub(crate) const SETTINGS: &[Setting] = &[URL, chat::BODY, LINK, HEADERS, TIMEOUT];
/// Those of one with [`Members::LIKE_SLACK`].
pub(crate) const SETTINGS_LIKE_SLACK: &[Setting] =
    &[URL, CHANNEL, USERNAME, ICON, chat::BODY, LINK, HEADERS, TIMEOUT];
/// Those of one whose messages have a name and a picture.
pub(crate) const SETTINGS_WITH_NAME: &[Setting] =
    &[URL, USERNAME, ICON, chat::BODY, LINK, HEADERS, TIMEOUT];

/// A chat behind a webhook.
pub(crate) struct Hook<P> {
    product: P,
    table: Table,
    guise: Guise,
    /// `headers`, checked.
    headers: HeaderMap,
}

/// Reads the table of a chat.
pub(crate) fn build<P: Hooked>(
    table: toml::de::ValueDeserializer<'_>,
) -> Result<Destination, SettingError> {
    let mut table: Table = read(table)?;
    let headers = headers(&table.headers)?;
    let guise = Guise {
        channel: table.channel.take(),
        username: table.username.take(),
        icon: table.icon.take(),
    };
    guise.check(P::MEMBERS)?;
    Ok(Destination::Http(Box::new(Hook { product: P::default(), table, guise, headers })))
}

impl<P: Hooked> Sink<Http> for Hook<P> {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let Table { body: form, link, .. } = &self.table;
        let mut message = chat::message(&self.product, *form, link.as_ref(), event, body);
        self.guise.put_on(P::MEMBERS, &mut message);
        chat::push(&message, record);
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        let url = self.product.address(&self.table.url);
        chat::post(&url, self.table.url.to_string(), &self.headers, batch)
    }

    fn verdict(&self, _: &Batch, reply: &HttpReply) -> Verdict<Http> {
        self.product.verdict(reply)
    }

    fn concerns(&self, lane: &LaneView) -> Vec<Concern> {
        chat::concerns(self.table.body, lane)
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection::of(&self.table.tls, self.table.timeout)
    }
}

//! As whom a webhook's message is shown, and which channel it goes to, where a product lets the
//! sender say so.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::chat::Object;
use crate::contract::{Setting, SettingError};

/// What a configuration may say of it.
#[derive(Debug, Default)]
pub(crate) struct Guise {
    pub(crate) channel: Option<Name>,
    pub(crate) username: Option<Name>,
    pub(crate) icon: Option<Icon>,
}

/// The members of a message that say it; none where the product has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members {
    pub(crate) channel: Option<&'static str>,
    pub(crate) username: Option<&'static str>,
    pub(crate) icon_url: Option<&'static str>,
    pub(crate) icon_emoji: Option<&'static str>,
}

impl Members {
    /// A product that shows each message as its webhook was set up.
    pub(crate) const NONE: Self =
        Self { channel: None, username: None, icon_url: None, icon_emoji: None };
    /// A product whose webhooks take what Slack's once took.
    pub(crate) const LIKE_SLACK: Self = Self {
        channel: Some("channel"),
        username: Some("username"),
        icon_url: Some("icon_url"),
        icon_emoji: Some("icon_emoji"),
    };
}

/// The setting `channel`.
pub(crate) const CHANNEL: Setting = Setting {
    key: "channel",
    help: "another channel than the webhook's own, where the server allows it: \"town-square\", \
           or \"@user\"",
};
/// The setting `username`.
pub(crate) const USERNAME: Setting =
    Setting { key: "username", help: "the name shown, where the server allows another" };
/// The setting `icon`.
pub(crate) const ICON: Setting = Setting {
    key: "icon",
    help: "the picture shown, where the server allows another: an https:// address, or an emoji \
           as \":shield:\" where the product has such",
};

/// A text that is not empty, on one line.
#[derive(Debug, Clone)]
pub(crate) struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.trim().is_empty() || text.contains(char::is_control) {
            true => Err(D::Error::custom("expected a name on one line")),
            false => Ok(Self(text)),
        }
    }
}

/// A picture.
#[derive(Debug, Clone)]
pub(crate) enum Icon {
    Url(String),
    Emoji(String),
}

impl<'de> Deserialize<'de> for Icon {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Name(text) = Name::deserialize(deserializer)?;
        let is_emoji = text.len() > 2 && text.starts_with(':') && text.ends_with(':');
        match text.starts_with("https://") && !text.contains(' ') {
            true => Ok(Self::Url(text)),
            false if is_emoji => Ok(Self::Emoji(text)),
            false => Err(D::Error::custom("expected an https:// address, or \":emoji:\"")),
        }
    }
}

impl Guise {
    /// # Errors
    /// Names the setting that the product has no place for.
    pub(crate) fn check(&self, members: Members) -> Result<(), SettingError> {
        let no_place =
            |key| SettingError::at(key, "expected none: this product has no place for it");
        match self {
            Self { channel: Some(_), .. } if members.channel.is_none() => Err(no_place("channel")),
            Self { username: Some(_), .. } if members.username.is_none() => {
                Err(no_place("username"))
            }
            Self { icon: Some(Icon::Url(_)), .. } if members.icon_url.is_none() => {
                Err(no_place("icon"))
            }
            Self { icon: Some(Icon::Emoji(_)), .. } if members.icon_emoji.is_none() => {
                Err(SettingError::at("icon", "expected an https:// address"))
            }
            _ => Ok(()),
        }
    }

    /// Puts it on a message, whatever a template wrote there.
    pub(crate) fn put_on(&self, members: Members, message: &mut Object) {
        let icon = self.icon.as_ref().map(|icon| match icon {
            Icon::Url(url) => (members.icon_url, url),
            Icon::Emoji(emoji) => (members.icon_emoji, emoji),
        });
        let channel = self.channel.as_ref().map(|Name(channel)| (members.channel, channel));
        let username = self.username.as_ref().map(|Name(username)| (members.username, username));
        for (member, value) in [channel, username, icon].into_iter().flatten() {
            if let Some(member) = member {
                message.insert(member.into(), value.as_str().into());
            }
        }
    }
}

//! The settings of `loki` that have rules of their own.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{HeaderMap, HeaderValue, Loki, SettingError, header, headers};
use crate::contract::{Event, Value, authorization, did_you_mean, is_label_name};

/// A field of an event that may be a label: of few values in a cluster, and none that an attacker
/// can make up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    name: &'static str,
    field: &'static str,
}

const fn label(name: &'static str, field: &'static str) -> Label {
    Label { name, field }
}

/// All there are.
pub(super) const ALL: [Label; 11] = [
    label("cluster", "cluster"),
    label("namespace", "namespace"),
    label("stream", "stream"),
    label("action", "action"),
    label("operation", "operation"),
    label("gravity", "gravity"),
    label("type", "Type"),
    label("enforcer", "Enforcer"),
    label("level", "Level"),
    label("host", "host"),
    label("policy", "policy"),
];

impl Label {
    pub(super) fn name(self) -> &'static str {
        self.name
    }

    pub(super) fn value<'e>(self, event: &'e Event<'_>) -> Cow<'e, str> {
        match event.field(self.field) {
            Some(Value::Str(text)) => Cow::Borrowed(text),
            Some(Value::String(text)) => Cow::Owned(text),
            _ => Cow::Borrowed(""),
        }
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ALL.into_iter().find(|label| label.name == text).ok_or_else(|| {
            let known: Vec<_> = ALL.iter().map(|label| label.name).collect();
            let meant = did_you_mean(&text, known.iter().copied());
            D::Error::custom(format!(
                "expected one of {}, found \"{text}\"{meant}; what has many values belongs to the \
                 structured metadata, where it is already",
                known.join(", ")
            ))
        })
    }
}

/// What makes few streams and answers most questions.
pub(super) fn few() -> Vec<Label> {
    ALL[..4].to_vec()
}

pub(super) fn job() -> BTreeMap<LabelName, String> {
    BTreeMap::from([(LabelName("job".to_owned()), "kubearmor".to_owned())])
}

/// The name of a label, as Loki takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LabelName(pub(super) String);

impl<'de> Deserialize<'de> for LabelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if is_label_name(&text) {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format!(
            "expected the name of a label, of letters, digits and _, found \"{text}\""
        )))
    }
}

/// The headers of each request.
pub(super) fn headers_of(sink: &Loki) -> Result<HeaderMap, SettingError> {
    let mut all = headers(&sink.headers)?;
    all.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(tenant) = &sink.tenant {
        let value = HeaderValue::from_str(tenant).ok().filter(|_| !tenant.is_empty());
        let why = "expected a tenant of visible characters";
        all.insert("x-scope-orgid", value.ok_or_else(|| SettingError::at("tenant", why))?);
    }
    let (username, password) = (sink.username.as_deref(), sink.password.as_ref());
    if let Some(value) = authorization(username, password, sink.token.as_ref())? {
        all.insert(header::AUTHORIZATION, value);
    }
    Ok(all)
}

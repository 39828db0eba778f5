//! What a sink has to say of the lane it is on: settings that are right by themselves and wrong
//! together.

use super::{DigestDefaults, Format};

/// A lane, as far as a sink may be concerned.
#[derive(Debug, Clone, Copy)]
pub struct LaneView {
    /// How like events are told as one message; none where each is sent.
    pub digest: Option<DigestDefaults>,
    /// How an event becomes a body.
    pub format: Format,
    /// Whether the body says how many events a message stands for.
    pub counts: bool,
}

/// What is wrong, or doubtful, about a sink on its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// The lane's key that is to blame, with dots: `digest.every`.
    pub key: &'static str,
    /// What is the matter and what to do.
    pub message: String,
    /// Whether it cannot be served at all. What can is only told.
    pub is_mistake: bool,
}

impl Concern {
    /// What cannot be served.
    pub(crate) fn mistake(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into(), is_mistake: true }
    }

    /// What is served, perhaps not as it was meant.
    pub(crate) fn doubt(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into(), is_mistake: false }
    }
}

//! What an error of the AMQP library means: the hub's own word, a lost outcome, or nothing sent.

use fe2o3_amqp::{
    connection::{ConnectionStopReason, OpenError},
    link::{
        DetachError, LinkStateError, ReceiverAttachError, RecvError, SendError, SenderAttachError,
        SessionStopReason,
    },
    session::BeginError,
    types::{
        definitions::{Error, ErrorCondition},
        primitives::Symbol,
    },
};
use sidearm_sinks::contract::AmqpState;

use crate::wire::WireError;

/// Why there is no link, or none any more.
#[derive(Debug)]
pub(super) enum Failed {
    Wire(WireError),
    /// The hub itself said no, and why.
    Refused(AmqpState),
}

impl From<WireError> for Failed {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl Failed {
    /// An error before anything was sent.
    pub(super) fn unsent<E: Told>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |error| match error.told() {
            Some(told) => Self::Refused(refused(told)),
            None => WireError::NotSent(format!("{doing}: {}", error.words())).into(),
        }
    }

    /// An error behind a transfer, which may have arrived.
    pub(super) fn unanswered(error: &SendError) -> Self {
        match error.told() {
            Some(told) => Self::Refused(refused(told)),
            None => WireError::ReplyLost(format!("sending: {}", error.words())).into(),
        }
    }
}

/// A refusal in the hub's own words.
pub(super) fn refused(error: &Error) -> AmqpState {
    let condition = match &error.condition {
        ErrorCondition::AmqpError(condition) => condition.into(),
        ErrorCondition::ConnectionError(condition) => condition.into(),
        ErrorCondition::SessionError(condition) => condition.into(),
        ErrorCondition::LinkError(condition) => condition.into(),
        ErrorCondition::Custom(condition) => condition.clone(),
    };
    let Symbol(condition) = condition;
    AmqpState::Refused { condition, description: error.description.clone().unwrap_or_default() }
}

/// An error that may hold what the hub said.
pub(super) trait Told: std::error::Error {
    /// What the hub said, where it said anything.
    fn told(&self) -> Option<&Error>;

    /// For people.
    fn words(&self) -> String {
        self.to_string()
    }
}

impl Told for OpenError {
    fn told(&self) -> Option<&Error> {
        match self {
            Self::RemoteClosedWithError(error) => Some(error),
            _ => None,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Io(error) => error.to_string(),
            other => other.to_string(),
        }
    }
}

impl Told for BeginError {
    fn told(&self) -> Option<&Error> {
        match self {
            Self::RemoteEndedWithError(error) => Some(error),
            Self::ConnectionStopped(reason) => connection_told(reason),
            _ => None,
        }
    }
}

impl Told for SenderAttachError {
    fn told(&self) -> Option<&Error> {
        match self {
            Self::RemoteClosedWithError(error) => Some(error),
            Self::SessionStopped(reason) => session_told(reason),
            _ => None,
        }
    }
}

impl Told for ReceiverAttachError {
    fn told(&self) -> Option<&Error> {
        match self {
            Self::RemoteClosedWithError(error) => Some(error),
            Self::SessionStopped(reason) => session_told(reason),
            _ => None,
        }
    }
}

impl Told for SendError {
    fn told(&self) -> Option<&Error> {
        match self {
            Self::LinkStateError(error) => link_told(error),
            Self::Detached(
                DetachError::RemoteDetachedWithError(error)
                | DetachError::RemoteClosedWithError(error),
            ) => Some(error),
            Self::Detached(DetachError::SessionStopped(reason)) => session_told(reason),
            _ => None,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::LinkStateError(error) => link_words(error),
            Self::Detached(_) => "the hub closed the link".to_owned(),
            other => other.to_string(),
        }
    }
}

impl Told for RecvError {
    fn told(&self) -> Option<&Error> {
        match self {
            Self::LinkStateError(error) => link_told(error),
            _ => None,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::LinkStateError(error) => link_words(error),
            other => other.to_string(),
        }
    }
}

fn link_told(error: &LinkStateError) -> Option<&Error> {
    match error {
        LinkStateError::RemoteDetachedWithError(error)
        | LinkStateError::RemoteClosedWithError(error) => Some(error),
        LinkStateError::SessionStopped(reason) => session_told(reason),
        _ => None,
    }
}

fn link_words(error: &LinkStateError) -> String {
    match error {
        LinkStateError::SessionStopped(SessionStopReason::ConnectionStopped(_)) => {
            "the connection ended".to_owned()
        }
        LinkStateError::SessionStopped(_) => "the session ended".to_owned(),
        LinkStateError::RemoteDetached | LinkStateError::RemoteClosed => {
            "the hub closed the link".to_owned()
        }
        other => other.to_string(),
    }
}

fn session_told(reason: &SessionStopReason) -> Option<&Error> {
    match reason {
        SessionStopReason::RemoteEndedWithError(error) => Some(error),
        SessionStopReason::ConnectionStopped(reason) => connection_told(reason),
        _ => None,
    }
}

fn connection_told(reason: &ConnectionStopReason) -> Option<&Error> {
    match reason {
        ConnectionStopReason::RemoteClosedWithError(error) => Some(error),
        _ => None,
    }
}

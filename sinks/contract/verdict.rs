//! What an answer means for the batch that was sent.

use std::{fmt, time::Duration};

use super::Protocol;

/// What an answer means.
pub enum Verdict<P: Protocol> {
    /// It is safe there; the cursor may pass.
    Accepted,
    /// It is safe there, and a person should know why: what it cannot promise, or that it runs
    /// short of room. A pause holds back the whole destination, as a hint of `Later` does.
    AcceptedBut(Option<Duration>, String),
    /// So many of the batch's records were refused for good, and the destination does not say
    /// which; the others are safe there. It is never sent again.
    Partly {
        /// How many were refused; at most all.
        refused: usize,
        /// Why, in its own words.
        why: String,
    },
    /// Their trouble: the same batch again. Their hint of when beats our own backoff.
    Later(Option<Duration>, String),
    /// Too large as one: halve it. A single event becomes [`Verdict::Never`].
    Smaller(String),
    /// As written it will never pass: dead letter, with the reason. A batch of several is halved
    /// until the one is found.
    Never(String),
    /// Our credentials or address are refused: park the lane, be loud, lose nothing, probe.
    Blocked(String),
    /// Taken, not yet safe: ask later.
    Ask(Question<P>),
    /// One verdict per record, in batch order. None of them is `Each`, `Ask` or `Partly`.
    /// Neighbours that are [`Verdict::Smaller`] are halved together; one without such a neighbour
    /// is too large itself.
    Each(Vec<Verdict<P>>),
}

/// What to ask a destination that has taken a batch and not yet made it safe.
pub struct Question<P: Protocol> {
    /// The request that asks.
    pub request: P::Request,
    /// How long to wait before asking.
    pub wait: Duration,
    /// How long the same question may stay unanswered in all, counted from the first time it is
    /// asked. Then [`Sink::gave_up`](super::Sink::gave_up) decides.
    pub give_up: Duration,
}

impl<P: Protocol> Verdict<P> {
    /// The word for it in metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted | Self::AcceptedBut(..) => "accepted",
            Self::Partly { .. } => "partly",
            Self::Later(..) => "later",
            Self::Smaller(_) => "smaller",
            Self::Never(_) => "never",
            Self::Blocked(_) => "blocked",
            Self::Ask(_) => "ask",
            Self::Each(_) => "each",
        }
    }
}

impl<P: Protocol> fmt::Debug for Verdict<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("Accepted"),
            Self::AcceptedBut(pause, why) => {
                f.debug_tuple("AcceptedBut").field(pause).field(why).finish()
            }
            Self::Partly { refused, why } => {
                f.debug_tuple("Partly").field(refused).field(why).finish()
            }
            Self::Later(hint, why) => f.debug_tuple("Later").field(hint).field(why).finish(),
            Self::Smaller(why) => f.debug_tuple("Smaller").field(why).finish(),
            Self::Never(why) => f.debug_tuple("Never").field(why).finish(),
            Self::Blocked(why) => f.debug_tuple("Blocked").field(why).finish(),
            Self::Ask(question) => f.debug_tuple("Ask").field(&question.wait).finish(),
            Self::Each(each) => f.debug_list().entries(each).finish(),
        }
    }
}

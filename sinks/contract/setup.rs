//! What a destination needs installed before its first event, asked for step by step.
//!
//! A sink says what to send and reads the answers; `sidearm setup` sends. Like a sink, it touches
//! nothing itself.

use super::Protocol;

/// An installation under way.
pub trait Setup<P: Protocol>: Send {
    /// What comes next, once `answer` came to the request before; at first there is none, and
    /// none either where a request was only shown: it is then supposed to have gone well.
    fn next(&mut self, answer: Option<&P::Reply>) -> Progress<P>;
}

/// What the last answer meant, and what comes next.
pub struct Progress<P: Protocol> {
    /// The answer, in words; nothing where there was none.
    pub told: Option<String>,
    /// What comes next.
    pub step: SetupStep<P>,
}

/// What comes next in an installation.
pub enum SetupStep<P: Protocol> {
    /// Something is asked, and all else depends on it: it is sent even where the rest is only
    /// shown. It changes nothing.
    Ask(P::Request),
    /// It is looked whether something is there. It changes nothing.
    Look(P::Request),
    /// Something is made, or made anew.
    Make(P::Request),
    /// All is there.
    Done,
    /// It cannot be done; why, and what to do.
    Failed(String),
}

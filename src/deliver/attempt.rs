//! One attempt, and how it ended. A panic of the sink or the wire is an end like any other.

use std::{any::Any, panic::AssertUnwindSafe};

use futures_util::FutureExt as _;
use sidearm_sinks::contract::{Batch, Verdict};

use super::target::Current;
use crate::wire::{Reach, WireError};

/// How one attempt ended.
pub(super) enum Ended<P: Reach> {
    Answered(Verdict<P>),
    Failed(WireError),
    Panicked(String),
}

/// One attempt; a panic of the sink or the wire is an end like any other.
pub(super) async fn attempt<P: Reach>(
    current: &Current<P>,
    batch: &Batch,
    question: Option<P::Request>,
) -> Ended<P> {
    let attempt = AssertUnwindSafe(async {
        let request = question.clone().unwrap_or_else(|| current.sink.request(batch));
        let reply = match current.wire.call(request).await {
            Ok(reply) => reply,
            Err(error) => return Ended::Failed(error),
        };
        Ended::Answered(match &question {
            Some(asked) => current.sink.answer(batch, asked, &reply),
            None => current.sink.verdict(batch, &reply),
        })
    });
    attempt.catch_unwind().await.unwrap_or_else(|panic| Ended::Panicked(words(&*panic)))
}

impl<P: Reach> Ended<P> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Answered(verdict) => verdict.name(),
            Self::Failed(WireError::NotSent(_)) => "not_sent",
            Self::Failed(WireError::ReplyLost(_)) => "reply_lost",
            Self::Failed(WireError::Unusable(_)) => "unusable",
            Self::Panicked(_) => "panicked",
        }
    }
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a panic while handling it: {}", text.as_deref().unwrap_or("without a word"))
}

//! A single try that nothing follows, for `sidearm send-test` and `sidearm setup`.

use std::time::Duration;

use sidearm_sinks::contract::{Batch, Question, Verdict};
use tokio::time::{Instant, sleep_until};

use super::target::Current;
use crate::wire::{Reach, Wire, WireError};

/// How long a single try asks about what is taken but not yet safe, for somebody waits for it.
const ASKED_FOR: Duration = Duration::from_secs(30);

/// How a single try ended.
pub(crate) struct Tried<P: Reach> {
    /// The destination's last answer, for people; nothing where none came.
    pub(crate) reply: Option<String>,
    /// What it means.
    pub(crate) verdict: Result<Verdict<P>, WireError>,
}

/// Sends one request once.
pub(crate) async fn send_once<P: Reach>(
    wire: &dyn Wire<P>,
    request: P::Request,
) -> Result<P::Reply, WireError> {
    wire.call(request).await
}

/// Sends a batch of one event once. What is taken but not yet safe is asked about for a while, and
/// is [`Verdict::Ask`] where the next question would be later than that.
pub(crate) async fn try_once<P: Reach>(current: &Current<P>, batch: &Batch) -> Tried<P> {
    let reply = match current.wire.call(current.sink.request(batch)).await {
        Ok(reply) => reply,
        Err(error) => return Tried { reply: None, verdict: Err(error) },
    };
    let words = Some(P::words(&reply));
    match current.sink.verdict(batch, &reply) {
        Verdict::Ask(question) => ask(current, batch, question, words).await,
        Verdict::Each(mut each) if each.len() == 1 => {
            Tried { reply: words, verdict: Ok(each.remove(0)) }
        }
        verdict => Tried { reply: words, verdict: Ok(verdict) },
    }
}

async fn ask<P: Reach>(
    current: &Current<P>,
    batch: &Batch,
    mut question: Question<P>,
    mut words: Option<String>,
) -> Tried<P> {
    let deadline = Instant::now() + ASKED_FOR.min(question.give_up);
    loop {
        let next = Instant::now() + question.wait;
        if next > deadline {
            return Tried { reply: words, verdict: Ok(Verdict::Ask(question)) };
        }
        sleep_until(next).await;
        match current.wire.call(question.request.clone()).await {
            Ok(reply) => {
                words = Some(P::words(&reply));
                match current.sink.answer(batch, &question.request, &reply) {
                    Verdict::Ask(next) => question = next,
                    verdict => return Tried { reply: words, verdict: Ok(verdict) },
                }
            }
            Err(error) => return Tried { reply: words, verdict: Err(error) },
        }
    }
}

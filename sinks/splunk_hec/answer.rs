//! What Splunk's answers mean.
//!
//! The code in the body decides, the HTTP status only where there is none. A code that blames one
//! object means that Splunk has stored those before it and none behind it (measured on Splunk
//! Enterprise 10.4 and Splunk Cloud 10.5), so such a batch is never sent again as it was.

use std::{collections::BTreeMap, iter, time::Duration};

use serde::Deserialize;

use super::{SplunkHec, settings::Ack};
use crate::contract::{
    Batch, Gzip, Http, HttpReply, HttpRequest, Protocol as _, Question, Verdict,
};

/// Splunk Cloud answers a larger body with code 6 for object 0, and not with 413.
const CLOUD_MAX_BODY_BYTES: usize = 5 * 1024 * 1024;
/// How long a collector that runs short of room is left alone, where it says nothing itself.
const SHORT_OF_ROOM: Duration = Duration::from_secs(1);
/// Indexers rarely acknowledge sooner.
const ACK_WAIT: Duration = Duration::from_secs(1);
/// Later questions come at this pace, which is gentle on the collector.
const ACK_WAIT_AGAIN: Duration = Duration::from_secs(3);
/// A batch that is not acknowledged within this time is sent again.
const ACK_GIVE_UP: Duration = Duration::from_secs(300);

/// The collector's answer to a POST of events, or its refusal of a question.
#[derive(Debug, Deserialize)]
struct Answer {
    code: u16,
    #[serde(default)]
    text: String,
    #[serde(rename = "invalid-event-number")]
    invalid_event_number: Option<usize>,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
}

/// The collector's answer to a question.
#[derive(Debug, Deserialize)]
struct Acks {
    acks: BTreeMap<String, bool>,
}

pub(super) fn verdict(sink: &SplunkHec, batch: &Batch, reply: &HttpReply) -> Verdict<Http> {
    let Ok(answer) = serde_json::from_slice::<Answer>(&reply.body) else {
        return foreign(reply);
    };
    let why = in_words(&answer, reply);
    match answer.code {
        0 | 24 | 25 => taken(sink, &answer, reply, why),
        8 | 9 | 18..=20 | 23 | 26 | 27 => Verdict::Later(reply.retry_after, why),
        6 if answer.invalid_event_number == Some(0)
            && batch.bytes().len() > CLOUD_MAX_BODY_BYTES =>
        {
            Verdict::Smaller(why)
        }
        6 | 12 | 13 | 15 => refused(sink, batch, &answer, answer.invalid_event_number, why),
        // The number names the object after the bad one.
        7 => {
            let bad = answer.invalid_event_number.map(|number| number.saturating_sub(1));
            refused(sink, batch, &answer, bad, why)
        }
        1..=5 | 10 | 11 | 14 | 16 | 21 | 22 | 28 => Verdict::Blocked(why),
        _ => foreign(reply),
    }
}

/// What the answer to a question means: an id is answered `true` once, and `false` before and
/// ever after, so a lost answer ends in sending again.
pub(super) fn acknowledged(asked: &HttpRequest, reply: &HttpReply) -> Verdict<Http> {
    let again =
        |wait| Verdict::Ask(Question { request: asked.clone(), wait, give_up: ACK_GIVE_UP });
    if let Ok(Acks { acks }) = serde_json::from_slice(&reply.body) {
        let stored = !acks.is_empty() && acks.values().all(|stored| *stored);
        return if stored { Verdict::Accepted } else { again(ACK_WAIT_AGAIN) };
    }
    let code = serde_json::from_slice::<Answer>(&reply.body).map(|answer| answer.code);
    match (code, Http::verdict(reply)) {
        (Ok(14), _) => Verdict::AcceptedBut(None, no_acknowledgement()),
        (_, Verdict::Later(hint, _)) => again(hint.unwrap_or(ACK_WAIT_AGAIN)),
        _ => Verdict::Blocked(format!("{}, asked for acknowledgements", reply.summary())),
    }
}

fn taken(sink: &SplunkHec, answer: &Answer, reply: &HttpReply, why: String) -> Verdict<Http> {
    match (sink.ack, answer.ack_id) {
        (Ack::Always | Ack::Auto, Some(id)) => Verdict::Ask(question(sink, id)),
        _ if answer.code != 0 => {
            Verdict::AcceptedBut(Some(reply.retry_after.unwrap_or(SHORT_OF_ROOM)), why)
        }
        (Ack::Always, None) => Verdict::AcceptedBut(None, no_acknowledgement()),
        (Ack::Never, _) | (Ack::Auto, None) => Verdict::Accepted,
    }
}

fn question(sink: &SplunkHec, id: u64) -> Question<Http> {
    let body = format!("{{\"acks\":[{id}]}}").into();
    Question {
        request: sink.post(sink.url.ack(&sink.channel()), body, Gzip::Off),
        wait: ACK_WAIT,
        give_up: ACK_GIVE_UP,
    }
}

/// Object `bad` is refused; those before it are stored, those behind it were not looked at.
fn refused(
    sink: &SplunkHec,
    batch: &Batch,
    answer: &Answer,
    bad: Option<usize>,
    why: String,
) -> Verdict<Http> {
    // An index that is the same for every event is a mistake of the configuration: nothing may be
    // lost for it.
    let is_ours = answer.code == 7 && sink.index.as_ref().is_none_or(|index| index.is_constant());
    let verdict =
        || if is_ours { Verdict::Blocked(why.clone()) } else { Verdict::Never(why.clone()) };
    let Some(bad) = bad.filter(|bad| *bad < batch.len()) else {
        return verdict();
    };
    if batch.len() == 1 || (is_ours && bad == 0) {
        return verdict();
    }
    let not_yet =
        || Verdict::Later(Some(Duration::ZERO), format!("sent with a refused event: {why}"));
    // Where indexers are asked, the prefix is not safe before they answer, and one batch cannot
    // both wait and be refused: it goes again, and its ids tell the copies.
    let asks = sink.ack != Ack::Never && answer.ack_id.is_some();
    let before = || if asks { not_yet() } else { Verdict::Accepted };
    let behind = || if is_ours { verdict() } else { not_yet() };
    Verdict::Each(
        iter::repeat_with(before)
            .take(bad)
            .chain(iter::once_with(verdict))
            .chain(iter::repeat_with(behind).take(batch.len() - bad - 1))
            .collect(),
    )
}

/// An answer that is not the collector's own: something stands between, or the address is wrong.
/// Nothing may be lost for it.
fn foreign(reply: &HttpReply) -> Verdict<Http> {
    let is_page = reply.body.trim_ascii_start().starts_with(b"<");
    match Http::verdict(reply) {
        Verdict::Accepted if is_page => {
            Verdict::Blocked(format!("{}, a page and not a collector's answer", reply.summary()))
        }
        Verdict::Never(why) => Verdict::Blocked(format!("{why}, not a collector's answer")),
        verdict => verdict,
    }
}

fn in_words(answer: &Answer, reply: &HttpReply) -> String {
    const SHOWN_CHARS: usize = 200;
    let text: String = answer.text.chars().take(SHOWN_CHARS).collect();
    format!("Splunk answered code {}, \"{text}\" (HTTP {})", answer.code, reply.status)
}

fn no_acknowledgement() -> String {
    "the token gives no indexer acknowledgement, so Splunk's answer itself is taken as final"
        .to_owned()
}

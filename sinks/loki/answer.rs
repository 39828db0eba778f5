//! What Loki's answer means.
//!
//! A 400 is no refusal of the whole: what was right is stored already. Entries that the answer
//! names by their exact time are set aside, the others go again at once; where it names none, the
//! batch is halved until the one is found. Both are safe: an entry that Loki has already is the
//! same entry when it comes again, and is kept once.

use crate::contract::{Batch, Http, HttpReply, Protocol as _, Verdict};

/// Ingestion is blocked for a while, by the operator: a 2xx that stored nothing.
const BLOCKED_INGESTION: u16 = 260;

/// Faults of the table, which no event is to blame for.
const OF_THE_TABLE: [&str; 6] = [
    "label names; limit",
    "label name too long",
    "duplicate label name",
    "missing required labels",
    "at least one label pair",
    "includes structured metadata, but this feature is disallowed",
];

pub(super) fn verdict(batch: &Batch, reply: &HttpReply) -> Verdict<Http> {
    let why = reply.summary();
    let text = String::from_utf8_lossy(&reply.body);
    match reply.status {
        BLOCKED_INGESTION => Verdict::Later(reply.retry_after, why),
        400 if OF_THE_TABLE.iter().any(|fault| text.contains(fault)) => Verdict::Blocked(why),
        _ => match Http::verdict(reply) {
            Verdict::Never(why) if reply.status == 400 => refused(batch, &text, why),
            verdict => verdict,
        },
    }
}

fn refused(batch: &Batch, text: &str, why: String) -> Verdict<Http> {
    let named = named_times(text);
    let is_named = |bytes: &[u8]| time_of(bytes).is_some_and(|time| named.contains(&time));
    if !batch.records().any(|record| is_named(record.bytes)) {
        return Verdict::Never(why);
    }
    let each = batch.records().map(|record| {
        if is_named(record.bytes) {
            Verdict::Never(why.clone())
        } else {
            Verdict::Later(Some(std::time::Duration::ZERO), why.clone())
        }
    });
    Verdict::Each(each.collect())
}

/// The times in nanoseconds of the entries that an answer says were ignored:
/// `entry with timestamp 2021-11-07 17:54:47.542087159 +0000 UTC ignored, reason: ...`
fn named_times(text: &str) -> Vec<i64> {
    let after = text.split("entry with timestamp ").skip(1);
    after
        .filter_map(|rest| {
            let (moment, _) = rest.split_once(" +0000 UTC ignored")?;
            let moment: jiff::Timestamp = format!("{}Z", moment.replace(' ', "T")).parse().ok()?;
            i64::try_from(moment.as_nanosecond()).ok()
        })
        .collect()
}

/// The time of a record's entry.
fn time_of(record: &[u8]) -> Option<i64> {
    let (_, entry) = super::parts(record);
    let digits = entry.strip_prefix(b"[\"")?;
    let end = digits.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

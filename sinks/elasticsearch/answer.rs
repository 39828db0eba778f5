//! What the answers of `_bulk` mean.
//!
//! The request has a status, and so has each record: 200 says only that the request was read.
//! What blames a record is final for that record alone; what blames the cluster, the index or us
//! loses nothing. An answer that is not the cluster's own is taken for something between.

use std::borrow::Cow;

use serde::Deserialize;

use crate::contract::{Batch, Http, HttpReply, Protocol as _, Verdict};

/// The answer to a bulk request that was read.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    errors: bool,
    #[serde(borrow, default)]
    items: Vec<Item<'a>>,
}

#[derive(Debug, Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    create: Outcome<'a>,
}

/// What became of one record.
#[derive(Debug, Deserialize)]
struct Outcome<'a> {
    status: u16,
    #[serde(borrow)]
    error: Option<Fault<'a>>,
    /// `used`, `failed`, `not_enabled`, `not_applicable_or_unknown` (Elasticsearch 8.18 on).
    #[serde(borrow)]
    failure_store: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Fault<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    caused_by: Option<Cause<'a>>,
}

#[derive(Debug, Deserialize)]
struct Cause<'a> {
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
}

/// The answer to a request that was refused as a whole.
#[derive(Debug, Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: Fault<'a>,
}

/// How the reasons of a 400 begin that blames the index or the cluster, and no record. Only the
/// beginning is looked at: further on a reason may quote the event.
const SET_UP_WRONG: &[&str] = &[
    "request [",
    "no write index is defined for alias [",
    "pipeline with id [",
    "explicit index in bulk is not allowed",
    // OpenSearch Serverless: a time series collection takes no ids, a search collection does.
    "Document ID is not supported",
];
/// Likewise, where the cluster holds as many shards as it may: every new index is refused.
const SHORT_OF_SHARDS: &str = "Validation Failed: 1: this action would add [";

pub(super) fn verdict(is_our_index: bool, batch: &Batch, reply: &HttpReply) -> Verdict<Http> {
    match reply.status {
        200..=299 => match serde_json::from_slice::<Answer<'_>>(&reply.body) {
            Ok(answer) => read(is_our_index, batch, &answer),
            Err(error) => unreadable(batch, reply, error.is_eof()),
        },
        400 => refused(reply),
        401 | 403 => Verdict::Blocked(format!(
            "{}; the key or user needs the privileges create_doc and auto_configure",
            words_of(reply)
        )),
        404 => Verdict::Blocked(format!("{}; {}", words_of(reply), INSTALL)),
        406 | 415 => Verdict::Blocked(words_of(reply)),
        _ => match Http::verdict(reply) {
            Verdict::Never(why) => Verdict::Blocked(format!("{why}, not an answer of _bulk")),
            verdict => verdict,
        },
    }
}

const INSTALL: &str = "`sidearm setup elasticsearch` makes what is missing";

fn read(is_our_index: bool, batch: &Batch, answer: &Answer<'_>) -> Verdict<Http> {
    let is_aside = |item: &Item<'_>| item.create.failure_store.as_deref() == Some("used");
    if answer.items.len() != batch.len() {
        return Verdict::Later(
            None,
            format!("an answer about {} of {} records", answer.items.len(), batch.len()),
        );
    }
    if !answer.errors && !answer.items.iter().any(is_aside) {
        return Verdict::Accepted;
    }
    let each = answer.items.iter().map(|item| outcome(is_our_index, &item.create));
    Verdict::Each(each.collect())
}

fn outcome(is_our_index: bool, outcome: &Outcome<'_>) -> Verdict<Http> {
    let fault = outcome.error.as_ref();
    let kind = fault.map_or("", |fault| &*fault.kind);
    let why = || in_words(outcome.status, fault);
    match outcome.status {
        200..=299 if outcome.failure_store.as_deref() == Some("used") => {
            let why = "stored in the data stream's failure store: the document did not fit its \
                       mapping or its pipeline";
            Verdict::AcceptedBut(None, why.to_owned())
        }
        200..=299 => Verdict::Accepted,
        // Created by an earlier attempt, or by another replica: the id is the event's own.
        409 if kind.contains("version_conflict") => Verdict::Accepted,
        409 | 408 | 429 | 500..=599 => Verdict::Later(None, why()),
        400 if is_short_of_shards(fault) => Verdict::Later(None, why()),
        400 if is_set_up_wrong(fault, is_our_index) => Verdict::Blocked(why()),
        403 if is_short_of_disk(fault) => Verdict::Later(None, why()),
        // A name that an event chose must not hold up the events that chose another.
        403 | 404 if !is_our_index && is_about_the_index(kind) => Verdict::Never(why()),
        401 | 403 => Verdict::Blocked(why()),
        404 => Verdict::Blocked(format!("{}; {INSTALL}", why())),
        _ => Verdict::Never(why()),
    }
}

/// It is missing and may not be made, or our key has no right to this one.
fn is_about_the_index(kind: &str) -> bool {
    matches!(kind, "index_not_found_exception" | "security_exception")
}

fn is_short_of_shards(fault: Option<&Fault<'_>>) -> bool {
    begins(fault, SHORT_OF_SHARDS)
}

/// A name that no event has a say in is the configuration's mistake, and no event's.
fn is_set_up_wrong(fault: Option<&Fault<'_>>, is_our_index: bool) -> bool {
    match fault.map_or("", |fault| &*fault.kind) {
        "index_closed_exception" => true,
        "invalid_index_name_exception" => is_our_index,
        "illegal_argument_exception" => SET_UP_WRONG.iter().any(|words| begins(fault, words)),
        _ => false,
    }
}

fn begins(fault: Option<&Fault<'_>>, words: &str) -> bool {
    fault.and_then(|fault| fault.reason.as_deref()).is_some_and(|reason| reason.starts_with(words))
}

/// The disk is full. Until Elasticsearch 7.7 that was 403; it is 429 since.
fn is_short_of_disk(fault: Option<&Fault<'_>>) -> bool {
    let reason = fault.and_then(|fault| fault.reason.as_deref()).unwrap_or_default();
    fault.is_some_and(|fault| fault.kind == "cluster_block_exception")
        && reason.contains("/12/index read-only / allow delete")
}

/// The whole request is refused: halving it finds the record, unless none is to blame.
fn refused(reply: &HttpReply) -> Verdict<Http> {
    match serde_json::from_slice::<Refusal<'_>>(&reply.body) {
        Ok(Refusal { error }) if is_short_of_shards(Some(&error)) => {
            Verdict::Later(reply.retry_after, in_words(400, Some(&error)))
        }
        Ok(Refusal { error }) if is_set_up_wrong(Some(&error), true) => {
            Verdict::Blocked(in_words(400, Some(&error)))
        }
        Ok(Refusal { error }) => Verdict::Never(in_words(400, Some(&error))),
        Err(_) => Verdict::Blocked(format!("{}, not an answer of _bulk", reply.summary())),
    }
}

/// An answer that was cut speaks of more records than there was room for; asking for half of them
/// is safe, for those already stored are known by their ids. Any other is not the cluster's.
fn unreadable(batch: &Batch, reply: &HttpReply, is_cut: bool) -> Verdict<Http> {
    let is_cut = is_cut && reply.body.trim_ascii_start().starts_with(b"{");
    match is_cut {
        true if batch.len() > 1 => Verdict::Smaller("the answer is too long to be read".to_owned()),
        true => Verdict::Later(None, "the answer breaks off".to_owned()),
        false => Verdict::Blocked(format!("{}, not an answer of _bulk", reply.summary())),
    }
}

/// A refusal of the whole request, for people.
fn words_of(reply: &HttpReply) -> String {
    match serde_json::from_slice::<Refusal<'_>>(&reply.body) {
        Ok(Refusal { error }) => in_words(reply.status, Some(&error)),
        Err(_) => reply.summary(),
    }
}

/// Status, kind and reason on one line. Reasons quote values of the event, so they are cut.
fn in_words(status: u16, fault: Option<&Fault<'_>>) -> String {
    const SHOWN_CHARS: usize = 300;
    let Some(fault) = fault else { return format!("status {status}") };
    let reason = fault.reason.as_deref().unwrap_or_default();
    let cause = fault.caused_by.as_ref().and_then(|cause| cause.reason.as_deref());
    let whole = match cause {
        Some(cause) => format!("{reason} ({cause})"),
        None => reason.to_owned(),
    };
    let line = whole.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect();
    format!("status {status}: {}: {line}", fault.kind)
}

#[cfg(test)]
mod tests;

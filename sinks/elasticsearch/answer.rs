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
mod tests {
    use super::*;
    use crate::contract::testing::{batch, reply};

    fn of(records: usize, status: u16, body: &str) -> Verdict<Http> {
        verdict(true, &batch(records, 10), &reply(status, body))
    }

    fn names(verdict: &Verdict<Http>) -> String {
        match verdict {
            Verdict::Each(each) => {
                each.iter().map(|verdict| verdict.name()).collect::<Vec<_>>().join(", ")
            }
            verdict => verdict.name().to_owned(),
        }
    }

    fn item(status: u16, kind: &str, reason: &str) -> String {
        let reason = serde_json::to_string(reason).expect("text");
        format!(
            "{{\"create\":{{\"status\":{status},\"error\":{{\"type\":\"{kind}\",\"reason\":{reason}}}}}}}"
        )
    }

    fn items(items: &[String]) -> String {
        format!("{{\"errors\":true,\"items\":[{}]}}", items.join(","))
    }

    const CREATED: &str = "{\"create\":{\"status\":201}}";

    #[test]
    fn each_record_has_its_own_verdict_and_takes_no_neighbour_with_it() {
        for (status, kind, reason, expected) in [
            (
                409,
                "version_conflict_engine_exception",
                "[1]: version conflict, document already exists (current version [1])",
                "accepted",
            ),
            (
                429,
                "es_rejected_execution_exception",
                "rejected execution of coordinating operation",
                "later",
            ),
            (
                429,
                "cluster_block_exception",
                "index [k] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];",
                "later",
            ),
            (
                403,
                "cluster_block_exception",
                "index [k] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];",
                "later",
            ),
            (
                403,
                "cluster_block_exception",
                "index [k] blocked by: [FORBIDDEN/8/index write (api)];",
                "blocked",
            ),
            (
                403,
                "security_exception",
                "action [indices:data/write/bulk[s]] is unauthorized for user [x]",
                "blocked",
            ),
            (500, "engine_exception", "no", "later"),
            (503, "unavailable_shards_exception", "[k][0] primary shard is not active", "later"),
            (
                404,
                "index_not_found_exception",
                "no such index [k] and [action.auto_create_index] is [false]",
                "blocked",
            ),
            (
                400,
                "mapper_parsing_exception",
                "failed to parse field [PID] of type [long]",
                "never",
            ),
            (400, "document_parsing_exception", "[1:2] failed to parse", "never"),
            (
                400,
                "illegal_argument_exception",
                "Limit of total fields [1000] has been exceeded",
                "never",
            ),
            (400, "illegal_argument_exception", "pipeline with id [p] does not exist", "blocked"),
            (
                400,
                "illegal_argument_exception",
                "no write index is defined for alias [k]. ",
                "blocked",
            ),
            (
                400,
                "illegal_argument_exception",
                "Document ID is not supported in create/index operation request",
                "blocked",
            ),
            (400, "index_closed_exception", "closed", "blocked"),
            (400, "invalid_index_name_exception", "Invalid index name [k]", "blocked"),
            (
                400,
                "validation_exception",
                "Validation Failed: 1: this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;",
                "later",
            ),
            // Words of an event are no words of the cluster.
            (
                400,
                "document_parsing_exception",
                "failed to parse field [PID]: 'pipeline with id [p]'",
                "never",
            ),
            (
                400,
                "illegal_argument_exception",
                "cannot write 'no write index is defined for alias [k]'",
                "never",
            ),
        ] {
            let body = items(&[CREATED.to_owned(), item(status, kind, reason), CREATED.to_owned()]);
            let verdict = of(3, 200, &body);
            assert_eq!(
                names(&verdict),
                format!("accepted, {expected}, accepted"),
                "{kind} {reason}"
            );
        }
    }

    #[test]
    fn a_name_that_an_event_completed_wrongly_costs_that_event_alone() {
        let body = items(&[item(400, "invalid_index_name_exception", "Invalid index name [k]")]);
        assert_eq!(names(&verdict(false, &batch(1, 1), &reply(200, &body))), "never");
    }

    #[test]
    fn all_stored_is_one_verdict_and_stored_aside_is_told() {
        let two = format!("{{\"errors\":false,\"items\":[{CREATED},{CREATED}]}}");
        assert_eq!(names(&of(2, 200, &two)), "accepted");
        let aside = "{\"create\":{\"status\":201,\"failure_store\":\"used\"}}";
        let body = format!("{{\"errors\":false,\"items\":[{CREATED},{aside}]}}");
        let Verdict::Each(each) = of(2, 200, &body) else { panic!("a verdict for each") };
        assert!(matches!(&each[0], Verdict::Accepted));
        assert!(
            matches!(&each[1], Verdict::AcceptedBut(None, why) if why.contains("failure store"))
        );
    }

    #[test]
    fn a_request_refused_as_a_whole_blames_a_record_only_where_one_can_be_to_blame() {
        let body = |kind: &str, reason: &str| {
            format!("{{\"error\":{{\"type\":\"{kind}\",\"reason\":\"{reason}\"}},\"status\":400}}")
        };
        for (status, body, expected) in [
            (
                400,
                body("illegal_argument_exception", "Malformed action/metadata line [1]"),
                "never",
            ),
            (400, body("x_content_parse_exception", "Unexpected character"), "never"),
            (
                400,
                body(
                    "illegal_argument_exception",
                    "request [/_bulk] contains unrecognized parameter: [require_data_stream]",
                ),
                "blocked",
            ),
            (400, "<html>Bad Request</html>".to_owned(), "blocked"),
            (401, body("security_exception", "missing authentication credentials"), "blocked"),
            (403, body("security_exception", "unauthorized"), "blocked"),
            (404, body("index_not_found_exception", "no such index [k]"), "blocked"),
            (405, String::new(), "blocked"),
            (406, body("media_type_header_exception", "Invalid media-type"), "blocked"),
            (413, String::new(), "smaller"),
            (418, "a teapot".to_owned(), "blocked"),
            (429, body("circuit_breaking_exception", "Data too large"), "later"),
            (503, "<html>".to_owned(), "later"),
            (504, String::new(), "later"),
            (302, String::new(), "blocked"),
            (200, "<html>please log in</html>".to_owned(), "blocked"),
            (200, String::new(), "blocked"),
            (200, "{}".to_owned(), "blocked"),
        ] {
            assert_eq!(names(&of(2, status, &body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_answer_about_other_records_settles_none() {
        let body = format!("{{\"errors\":false,\"items\":[{CREATED}]}}");
        assert_eq!(names(&of(2, 200, &body)), "later");
    }

    #[test]
    fn an_answer_too_long_to_be_read_is_asked_for_in_halves() {
        let whole = format!("{{\"errors\":false,\"items\":[{CREATED},{CREATED}]}}");
        for end in 1..whole.len() {
            assert_eq!(names(&of(2, 200, &whole[..end])), "smaller", "{end}");
            assert_eq!(names(&of(1, 200, &whole[..end])), "later", "{end}");
        }
    }

    #[test]
    fn a_reason_is_one_line_and_not_long() {
        let reason = format!("failed\n\u{1b}[31m {}", "x".repeat(1_000));
        let Verdict::Each(each) =
            of(1, 200, &items(&[item(400, "mapper_parsing_exception", &reason)]))
        else {
            panic!("a verdict for each")
        };
        let Verdict::Never(why) = &each[0] else { panic!("refused") };
        assert!(why.len() < 400 && !why.chars().any(char::is_control), "{why}");
        assert!(why.starts_with("status 400: mapper_parsing_exception: failed [31m xxx"), "{why}");
    }
}

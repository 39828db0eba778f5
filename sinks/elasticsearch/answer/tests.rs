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
        (400, "mapper_parsing_exception", "failed to parse field [PID] of type [long]", "never"),
        (400, "document_parsing_exception", "[1:2] failed to parse", "never"),
        (
            400,
            "illegal_argument_exception",
            "Limit of total fields [1000] has been exceeded",
            "never",
        ),
        (400, "illegal_argument_exception", "pipeline with id [p] does not exist", "blocked"),
        (400, "illegal_argument_exception", "no write index is defined for alias [k]. ", "blocked"),
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
        assert_eq!(names(&verdict), format!("accepted, {expected}, accepted"), "{kind} {reason}");
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
    assert!(matches!(&each[1], Verdict::AcceptedBut(None, why) if why.contains("failure store")));
}

#[test]
fn a_request_refused_as_a_whole_blames_a_record_only_where_one_can_be_to_blame() {
    let body = |kind: &str, reason: &str| {
        format!("{{\"error\":{{\"type\":\"{kind}\",\"reason\":\"{reason}\"}},\"status\":400}}")
    };
    for (status, body, expected) in [
        (400, body("illegal_argument_exception", "Malformed action/metadata line [1]"), "never"),
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
    let Verdict::Each(each) = of(1, 200, &items(&[item(400, "mapper_parsing_exception", &reason)]))
    else {
        panic!("a verdict for each")
    };
    let Verdict::Never(why) = &each[0] else { panic!("refused") };
    assert!(why.len() < 400 && !why.chars().any(char::is_control), "{why}");
    assert!(why.starts_with("status 400: mapper_parsing_exception: failed [31m xxx"), "{why}");
}

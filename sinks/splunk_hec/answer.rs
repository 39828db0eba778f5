//! What Splunk's answers mean.
//!
//! The code in the body decides, the HTTP status only where there is none. A code that blames one
//! object means that Splunk has stored those before it and none behind it (measured on Splunk
//! Enterprise 10.4 and Splunk Cloud 10.5), so such a batch is never sent again as it was.

use std::{collections::BTreeMap, iter, time::Duration};

use http::header;
use serde::Deserialize;

use super::{SplunkHec, settings::Ack};
use crate::contract::{
    Batch, Encoding, Http, HttpReply, HttpRequest, Protocol as _, Question, Verdict,
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
    // A gateway in front of the collector may answer with a code of its own.
    let is_splunks = match answer.code {
        0 | 24 | 25 => (200..300).contains(&reply.status),
        6 | 7 | 12 | 13 | 15 => reply.status == 400,
        1..=5 | 10 | 11 | 14 | 16 | 21 | 22 | 28 => (400..500).contains(&reply.status),
        // A body beyond `max_content_length` is told with a code that means something else.
        _ => reply.status != 413,
    };
    if !is_splunks {
        return foreign(reply);
    }
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
        (Ack::Always | Ack::Auto, Some(id)) => Verdict::Ask(question(sink, reply, id)),
        _ if answer.code != 0 => {
            Verdict::AcceptedBut(Some(reply.retry_after.unwrap_or(SHORT_OF_ROOM)), why)
        }
        (Ack::Always, None) => Verdict::AcceptedBut(None, no_acknowledgement()),
        (Ack::Never, _) | (Ack::Auto, None) => Verdict::Accepted,
    }
}

/// Each indexer counts the ids of a channel for itself, from 0: asked of another one, the same id
/// is another batch. A load balancer that keeps us at one does so by its cookies.
fn question(sink: &SplunkHec, reply: &HttpReply, id: u64) -> Question<Http> {
    let body = format!("{{\"acks\":[{id}]}}").into();
    let mut request = sink.post(sink.url.ack(&sink.channel()), body, Encoding::Identity);
    if let Some(cookies) = reply.cookies() {
        request.headers.insert(header::COOKIE, cookies);
    }
    Question { request, wait: ACK_WAIT, give_up: ACK_GIVE_UP }
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
    match Http::verdict(reply) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{
        Sink,
        testing::{batch, reply, sink},
    };

    fn hec(more: &str) -> SplunkHec {
        sink(&format!("url = \"https://splunk:8088\"\ntoken = \"t\"\n{more}")).expect("a table")
    }

    /// A verdict without its words.
    fn short(verdict: &Verdict<Http>) -> String {
        match verdict {
            Verdict::Later(hint, _) => format!("later {hint:?}"),
            Verdict::AcceptedBut(pause, _) => format!("accepted but {pause:?}"),
            Verdict::Each(each) => each.iter().map(short).collect::<Vec<_>>().join(", "),
            verdict => verdict.name().to_owned(),
        }
    }

    fn of(sink: &SplunkHec, records: usize, status: u16, body: &str) -> String {
        short(&sink.verdict(&batch(records, 10), &reply(status, body)))
    }

    #[test]
    fn every_code_has_its_verdict() {
        let table = [
            (200, 0, "accepted"),
            (403, 1, "blocked"),
            (401, 2, "blocked"),
            (401, 3, "blocked"),
            (403, 4, "blocked"),
            (400, 5, "blocked"),
            (400, 6, "never"),
            (400, 7, "blocked"),
            (500, 8, "later None"),
            (503, 9, "later None"),
            (400, 10, "blocked"),
            (400, 11, "blocked"),
            (400, 12, "never"),
            (400, 13, "never"),
            (400, 14, "blocked"),
            (400, 15, "never"),
            (400, 16, "blocked"),
            (200, 17, "accepted"),
            (503, 18, "later None"),
            (503, 19, "later None"),
            (503, 20, "later None"),
            (400, 21, "blocked"),
            (400, 22, "blocked"),
            (503, 23, "later None"),
            (200, 24, "accepted but Some(1s)"),
            (200, 25, "accepted but Some(1s)"),
            (429, 26, "later None"),
            (429, 27, "later None"),
            (400, 28, "blocked"),
        ];
        for (status, code, expected) in table {
            let body = format!("{{\"text\":\"words\",\"code\":{code}}}");
            assert_eq!(of(&hec(""), 3, status, &body), expected, "code {code}");
        }
    }

    #[test]
    fn an_answer_that_names_an_object_settles_those_before_it() {
        let templated = hec("index = \"ka-{{ NamespaceName }}\"");
        let now = "later Some(0ns)";
        for (code, number, expected) in [
            (6, 0, format!("never, {now}, {now}, {now}")),
            (6, 2, format!("accepted, accepted, never, {now}")),
            (12, 1, format!("accepted, never, {now}, {now}")),
            (13, 3, "accepted, accepted, accepted, never".to_owned()),
            (15, 1, format!("accepted, never, {now}, {now}")),
            // The number of code 7 names the object after the bad one.
            (7, 1, format!("never, {now}, {now}, {now}")),
            (7, 3, format!("accepted, accepted, never, {now}")),
            (7, 4, "accepted, accepted, accepted, never".to_owned()),
            // A number beyond the batch is no number.
            (6, 4, "never".to_owned()),
            (7, 6, "never".to_owned()),
        ] {
            let body = format!("{{\"code\":{code},\"invalid-event-number\":{number}}}");
            assert_eq!(of(&templated, 4, 400, &body), expected, "code {code}, number {number}");
        }
        let alone = of(&templated, 1, 400, "{\"code\":6,\"invalid-event-number\":0}");
        assert_eq!(alone, "never");
    }

    #[test]
    fn an_index_of_the_configuration_s_own_costs_no_event() {
        for table in ["", "index = \"main\""] {
            let refused = |number: usize| {
                let body = format!("{{\"code\":7,\"invalid-event-number\":{number}}}");
                of(&hec(table), 3, 400, &body)
            };
            assert_eq!(refused(1), "blocked");
            assert_eq!(refused(2), "accepted, blocked, blocked");
        }
    }

    #[test]
    fn a_body_too_large_for_splunk_cloud_is_halved() {
        let body = "{\"text\":\"Invalid data format\",\"code\":6,\"invalid-event-number\":0}";
        let verdict = |bytes| short(&hec("").verdict(&batch(2, bytes), &reply(400, body)));
        assert_eq!(verdict(CLOUD_MAX_BODY_BYTES / 2), "never, later Some(0ns)");
        assert_eq!(verdict(CLOUD_MAX_BODY_BYTES / 2 + 1), "smaller");
        for body in ["too large", "{\"text\":\"Content-Length of 9 too large\",\"code\":27}"] {
            assert_eq!(of(&hec(""), 2, 413, body), "smaller");
        }
    }

    #[test]
    fn their_hint_is_kept() {
        let busy = HttpReply {
            retry_after: Some(Duration::from_secs(7)),
            ..reply(503, "{\"text\":\"Server is busy\",\"code\":9}")
        };
        assert_eq!(short(&hec("").verdict(&batch(1, 1), &busy)), "later Some(7s)");
    }

    #[test]
    fn an_answer_of_something_between_loses_nothing() {
        for (status, body, expected) in [
            (200, "", "accepted"),
            (200, "OK", "accepted"),
            // Codes of a gateway's own, which only look like Splunk's.
            (501, "{\"code\":12,\"message\":\"unimplemented\"}", "later None"),
            (503, "{\"code\":14,\"message\":\"unavailable\"}", "later None"),
            (500, "{\"code\":0}", "later None"),
            (200, " <html>please log in</html>", "blocked"),
            (302, "", "blocked"),
            (400, "The plain HTTP request was sent to HTTPS port", "blocked"),
            (404, "{\"text\":\"The requested URL was not found\",\"code\":404}", "blocked"),
            (415, "", "blocked"),
            (502, "<html>bad gateway</html>", "later None"),
            (429, "", "later None"),
        ] {
            assert_eq!(of(&hec(""), 2, status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn acknowledgement_is_asked_for_where_it_is_to_be_had() {
        let (with, without) = ("{\"code\":0,\"ackId\":7}", "{\"code\":0}");
        for (ack, body, expected) in [
            ("true", with, "ask"),
            ("\"auto\"", with, "ask"),
            ("false", with, "accepted"),
            ("true", without, "accepted but None"),
            ("\"auto\"", without, "accepted"),
            ("true", "{\"code\":24,\"ackId\":7}", "ask"),
        ] {
            let sink = hec(&format!("ack = {ack}"));
            assert_eq!(of(&sink, 1, 200, body), expected, "ack = {ack}, {body}");
        }
    }

    #[test]
    fn a_prefix_that_is_not_acknowledged_goes_again() {
        let body = "{\"code\":12,\"invalid-event-number\":1,\"ackId\":3}";
        let now = "later Some(0ns)";
        assert_eq!(of(&hec(""), 3, 400, body), format!("{now}, never, {now}"));
        assert_eq!(of(&hec("ack = false"), 3, 400, body), format!("accepted, never, {now}"));
    }

    #[test]
    fn an_acknowledgement_is_asked_of_the_indexer_that_gave_the_id() {
        let mut taken = reply(200, "{\"code\":0,\"ackId\":7}");
        for cookie in ["AWSALB=abc/+=; Path=/; Secure", " route = 2 ;HttpOnly", "nothing"] {
            taken.headers.append(header::SET_COOKIE, cookie.parse().expect("a header"));
        }
        let (sink, one) = (hec(""), batch(1, 1));
        let Verdict::Ask(question) = sink.verdict(&one, &taken) else { panic!("no question") };
        let cookies = |question: &Question<Http>| question.request.headers[header::COOKIE].clone();
        assert_eq!(cookies(&question), "AWSALB=abc/+=; route = 2");
        assert!(cookies(&question).is_sensitive());
        // Another indexer's cookies are not those of the one that knows the id.
        let mut not_yet = reply(200, "{\"acks\":{\"7\":false}}");
        not_yet.headers.append(header::SET_COOKIE, "route=3".parse().expect("a header"));
        let again = sink.answer(&one, &question.request, &not_yet);
        let Verdict::Ask(again) = again else { panic!("no further question") };
        assert_eq!(cookies(&again), "AWSALB=abc/+=; route = 2");
        taken.headers.clear();
        let Verdict::Ask(question) = sink.verdict(&one, &taken) else { panic!("no question") };
        assert!(!question.request.headers.contains_key(header::COOKIE));
    }

    #[test]
    fn an_acknowledgement_is_asked_for_until_it_is_given() {
        let sink = hec("channel = \"9f3c2b1a-58d4-4c6e-a7f0-1b2c3d4e5f60\"");
        let Verdict::Ask(question) =
            sink.verdict(&batch(1, 1), &reply(200, "{\"code\":0,\"ackId\":7}"))
        else {
            panic!("expected a question");
        };
        assert_eq!(
            question.request.url,
            "https://splunk:8088/services/collector/ack?channel=9f3c2b1a-58d4-4c6e-a7f0-1b2c3d4e5f60"
        );
        assert_eq!(&question.request.body[..], b"{\"acks\":[7]}");
        for (status, body, expected) in [
            (200, "{\"acks\":{\"7\":true}}", "accepted"),
            (200, "{\"acks\":{\"7\":false}}", "ask"),
            (200, "{\"acks\":{}}", "ask"),
            (503, "{\"text\":\"Server is busy\",\"code\":9}", "ask"),
            (502, "<html>", "ask"),
            (400, "{\"text\":\"ACK is disabled\",\"code\":14}", "accepted but None"),
            (403, "{\"text\":\"Invalid token\",\"code\":4}", "blocked"),
            (400, "{\"code\":10}", "blocked"),
            (404, "", "blocked"),
            (200, "OK", "blocked"),
        ] {
            let verdict = sink.answer(&batch(1, 1), &question.request, &reply(status, body));
            assert_eq!(short(&verdict), expected, "{status} {body}");
            if let Verdict::Ask(again) = verdict {
                assert_eq!(again.request.body, question.request.body);
            }
        }
    }
}

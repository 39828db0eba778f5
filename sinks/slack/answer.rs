//! What Slack's answers mean.
//!
//! Slack says it in a word: a webhook as the whole body (`ok`, `invalid_payload`),
//! `chat.postMessage` as `error` of a JSON object, most often inside a 200. The word decides, the
//! status only where there is none.

use serde::Deserialize;

use crate::contract::{Http, HttpReply, Protocol as _, Verdict};

/// The answer of `chat.postMessage`.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    errors: Vec<String>,
}

/// `is_routed`: whether events choose the channel, so that a channel's trouble is one event's.
pub(super) fn verdict(reply: &HttpReply, is_routed: bool) -> Verdict<Http> {
    let (word, detail) = match serde_json::from_slice::<Answer>(&reply.body) {
        Ok(answer) if answer.ok => ("ok".to_owned(), String::new()),
        Ok(answer) => (answer.error, answer.errors.join("; ")),
        Err(_) => (String::from_utf8_lossy(&reply.body).trim().to_owned(), String::new()),
    };
    let why =
        if detail.is_empty() { reply.summary() } else { format!("{}: {detail}", reply.summary()) };
    match (meaning(&word), reply.status) {
        (Some(Meaning::Taken), 200..=299) => Verdict::Accepted,
        (_, 429) | (Some(Meaning::Busy), _) => Verdict::Later(reply.retry_after, why),
        (Some(Meaning::Channel), _) if is_routed => Verdict::Never(why),
        (Some(Meaning::Refused | Meaning::Channel), _) => Verdict::Blocked(why),
        (Some(Meaning::Record), _) => Verdict::Never(why),
        // New to us. Where events choose the channel it may be one event's fault.
        (None, 200..=299 | 400) if is_word(&word) => match is_routed || is_of_a_record(&word) {
            true => Verdict::Never(why),
            false => Verdict::Blocked(why),
        },
        (None, 200..=299) => Verdict::Blocked(format!(
            "{why}, which is not Slack's \"ok\": is it a webhook's address?"
        )),
        (None | Some(Meaning::Taken), _) => Http::verdict(reply),
    }
}

/// Whether it is a word as Slack writes them, and not the answer of something between.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Whether a word speaks of what a message holds, by the way Slack begins such words.
fn is_of_a_record(word: &str) -> bool {
    ["invalid_", "msg_", "too_many_", "metadata_"].iter().any(|begin| word.starts_with(begin))
}

/// What a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Taken,
    /// Slack's trouble, or too many messages.
    Busy,
    /// Our credentials or address.
    Refused,
    /// The channel is not there or not ours.
    Channel,
    /// This message, as it is written.
    Record,
}

/// <https://docs.slack.dev/reference/methods/chat.postmessage> and, for webhooks,
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
fn meaning(word: &str) -> Option<Meaning> {
    Some(match word {
        "ok" => Meaning::Taken,
        "ratelimited"
        | "rate_limited"
        | "message_limit_exceeded"
        | "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "external_channel_migrating"
        | "team_added_to_org"
        | "rollup_error" => Meaning::Busy,
        "invalid_auth"
        | "not_authed"
        | "token_revoked"
        | "token_expired"
        | "account_inactive"
        | "missing_scope"
        | "ekm_access_denied"
        | "access_denied"
        | "no_permission"
        | "not_allowed_token_type"
        | "org_login_required"
        | "enterprise_is_restricted"
        | "team_access_not_granted"
        | "two_factor_setup_required"
        | "accesslimited"
        | "deprecated_endpoint"
        | "method_deprecated"
        | "action_prohibited"
        | "invalid_token"
        | "no_service"
        | "no_service_id"
        | "no_team"
        | "no_active_hooks"
        | "team_disabled"
        | "team_not_found"
        | "app_access_restricted"
        | "as_user_not_supported"
        | "messages_tab_disabled"
        | "send_on_behalf_not_allowed"
        | "invalid_arg_name"
        | "invalid_charset"
        | "invalid_form_data"
        | "invalid_post_type"
        | "missing_post_type"
        | "user_not_found" => Meaning::Refused,
        "channel_not_found"
        | "not_in_channel"
        | "is_archived"
        | "channel_is_archived"
        | "restricted_action"
        | "restricted_action_non_threadable_channel"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_locked"
        | "restricted_action_thread_only_channel"
        | "posting_to_general_channel_denied" => Meaning::Channel,
        "msg_too_long"
        | "msg_blocks_too_long"
        | "no_text"
        | "invalid_blocks"
        | "invalid_blocks_format"
        | "invalid_attachments"
        | "too_many_attachments"
        | "missing_text_or_fallback_or_attachments"
        | "invalid_payload"
        | "invalid_arguments"
        | "invalid_json"
        | "json_not_object" => Meaning::Record,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::contract::testing::reply;

    fn name(status: u16, body: &str, is_routed: bool) -> &'static str {
        verdict(&reply(status, body), is_routed).name()
    }

    #[test]
    fn a_webhook_answers_with_a_word() {
        for (status, word, expected) in [
            (200, "ok", "accepted"),
            (200, "ok\n", "accepted"),
            (200, "", "blocked"),
            (200, "<html>sign in</html>", "blocked"),
            (200, "no_service", "blocked"),
            (400, "invalid_payload", "never"),
            (400, "invalid_blocks", "never"),
            (400, "no_text", "never"),
            (400, "too_many_attachments", "never"),
            (400, "something_new", "blocked"),
            (400, "<html>blocked by policy</html>", "blocked"),
            (400, "user_not_found", "blocked"),
            (403, "action_prohibited", "blocked"),
            (403, "invalid_token", "blocked"),
            (404, "channel_not_found", "blocked"),
            (404, "no_service", "blocked"),
            (410, "channel_is_archived", "blocked"),
            (413, "", "smaller"),
            (429, "", "later"),
            (500, "rollup_error", "later"),
            (502, "<html>", "later"),
            // A word does not make a success of a failure.
            (500, "ok", "later"),
        ] {
            assert_eq!(name(status, word, false), expected, "{status} {word}");
        }
    }

    #[test]
    fn post_message_fails_inside_a_200() {
        for (error, expected) in [
            ("ratelimited", "later"),
            ("internal_error", "later"),
            ("fatal_error", "later"),
            ("service_unavailable", "later"),
            ("request_timeout", "later"),
            ("invalid_auth", "blocked"),
            ("token_revoked", "blocked"),
            ("missing_scope", "blocked"),
            ("not_in_channel", "blocked"),
            ("is_archived", "blocked"),
            ("msg_too_long", "never"),
            ("msg_blocks_too_long", "never"),
            ("invalid_blocks", "never"),
            ("restricted_action_thread_only_channel", "blocked"),
            ("restricted_action_non_threadable_channel", "blocked"),
            ("messages_tab_disabled", "blocked"),
            ("team_not_found", "blocked"),
            ("external_channel_migrating", "later"),
            // As they begin, these are of the message; nothing is known of the other.
            ("invalid_something_new", "never"),
            ("metadata_too_large", "never"),
            ("too_many_contact_cards", "never"),
            ("something_new", "blocked"),
        ] {
            let body = format!("{{\"ok\":false,\"error\":\"{error}\"}}");
            assert_eq!(name(200, &body, false), expected, "{error}");
        }
        assert_eq!(name(200, "{\"ok\":true,\"ts\":\"1.2\"}", false), "accepted");
    }

    #[test]
    fn a_channel_chosen_by_events_is_one_event_s_trouble() {
        let body = r#"{"ok":false,"error":"channel_not_found"}"#;
        assert_eq!(name(200, body, false), "blocked");
        assert_eq!(name(200, body, true), "never");
        assert_eq!(name(200, r#"{"ok":false,"error":"something_new"}"#, true), "never");
        assert_eq!(name(200, "<html>sign in</html>", true), "blocked");
    }

    #[test]
    fn slack_says_how_long_to_wait_and_what_is_wrong() {
        let hint = Some(Duration::from_secs(30));
        let busy = HttpReply { retry_after: hint, ..reply(429, "") };
        assert!(matches!(verdict(&busy, false), Verdict::Later(after, _) if after == hint));
        let body =
            r#"{"ok":false,"error":"invalid_blocks","errors":["must be shorter [/blocks/0]"]}"#;
        let Verdict::Never(why) = verdict(&reply(200, body), false) else { panic!("not refused") };
        assert!(why.contains("/blocks/0"), "{why}");
    }
}

use sidearm_proto::feeder;
use sidearm_sinks::contract::Stream;

use super::*;
use crate::testing::{alert, blocked_apt, gap, log, message, throttle_notice};

fn route(when: &str) -> Route {
    Route::compile(Some(when)).unwrap_or_else(|problem| panic!("{when}: {problem}"))
}

fn takes(when: &str, made: &crate::samples::Sample) -> bool {
    route(when).takes(&made.view()).unwrap_or_else(|problem| panic!("{when}: {problem}"))
}

fn refused(when: &str) -> String {
    Route::compile(Some(when)).map(|_| ()).expect_err(when)
}

#[test]
fn without_a_condition_everything_is_taken() {
    let route = Route::compile(None).expect("nothing to be wrong");
    for made in [alert(blocked_apt()), log(feeder::Log::default())] {
        assert_eq!(route.takes(&made.view()), Ok(true));
    }
}

#[test]
fn a_condition_speaks_of_fields_as_users_know_them() {
    let apt = alert(blocked_apt());
    for when in [
        r#"stream == "alert" || NamespaceName in ["payments"]"#,
        "NamespaceName in ['shop'] && severity >= 5 && blocked",
        "Resource.startsWith('/usr/bin/') && PodName.contains('web') && !(PID == 7)",
        "'T1036' in mitre && size(tags) == 2 && tags.exists(tag, tag.startsWith('MITRE'))",
        "Owner.Name == '' && PID + 1 == 43 && UID == 0",
        "Message.upperAscii().endsWith('DENIED')",
        "labels.all(key, key in ['app', 'tier'])",
        "['shop', 'payments'].exists(name, name == NamespaceName) && size(['a', 'b']) == 2",
        "tags.map(t, [1, 2]).size() == 2 && NamespaceName in ['x', PodName, 'shop']",
        "tags.filter(t, t != 'NIST').size() == 1 && tags.map(t, t.size())[0] == 4",
    ] {
        assert!(takes(when, &apt), "{when}");
    }
    for when in ["stream == 'log'", "severity > 5", "Action == 'Audit'", "pod == 'db-0'"] {
        assert!(!takes(when, &apt), "{when}");
    }
}

#[test]
fn what_an_event_has_not_is_empty_and_no_error() {
    let bare = log(feeder::Log::default());
    for when in [
        "severity == 0",
        "Severity == ''",
        "PolicyName == '' && MaxAlertsPerSec == 0 && size(tags) == 0",
        "labels['app'] == '' && labels.app == '' && !('app' in labels)",
        "!has(labels.app) && !has(Owner.Name)",
        "ExecEvent.ExecID == ''",
    ] {
        assert!(takes(when, &bare), "{when}");
    }
    let apt = alert(blocked_apt());
    assert!(takes("has(labels.app) && labels['app'] == 'web' && labels.tier == 'front'", &apt));
    assert!(!takes("has(labels.team) || labels['team'] == 'core'", &apt));
}

#[test]
fn gap_records_pass_every_condition() {
    assert!(takes("blocked", &gap(Stream::Alert)));
    assert!(takes("!gap", &gap(Stream::Log)));
}

#[test]
fn throttle_notices_pass_unless_the_condition_speaks_of_them() {
    let notice = alert(throttle_notice());
    for when in ["blocked", "severity >= 5", "Type == 'MatchedPolicy'"] {
        assert!(takes(when, &notice), "{when}");
    }
    for when in [
        "Operation != 'AlertThreshold'",
        "MaxAlertsPerSec == 0",
        "DroppingAlertsInterval > 60",
        "blocked && !throttled",
        "Type != \"SystemEvent\"",
    ] {
        assert!(!takes(when, &notice), "{when}");
    }
    assert!(takes("Operation == 'AlertThreshold'", &notice));
}

#[test]
fn an_unknown_name_is_told_with_its_place_and_its_neighbour() {
    assert_eq!(
        refused("blocked &&\n  NamespacName == 'x'"),
        "line 2, column 3: no field is named \"NamespacName\"; did you mean \"NamespaceName\"?"
    );
    assert_eq!(
        refused("'ä' == PodNam"),
        "line 1, column 8: no field is named \"PodNam\"; did you mean \"PodName\"?"
    );
    assert_eq!(refused("quux"), "line 1, column 1: no field is named \"quux\"");
    assert!(refused("Owner.Nmae == 'x'").contains("Owner has no \"Nmae\"; did you mean \"Name\"?"));
    assert!(refused("Owner['Kind'] == 'x'").contains("Owner has no \"Kind\""));
}

#[test]
fn all_that_is_wrong_is_told_in_one_go() {
    let problem = refused("Foo == 'x' || PodName.statsWith('y') || Bar.matches('(')");
    assert!(problem.contains("no field is named \"Foo\""), "{problem}");
    assert!(problem.contains("no function is named \"statsWith\"; did you mean \"startsWith\"?"));
    assert!(problem.contains("\"(\" is not a pattern (unclosed group)"), "{problem}");
    assert!(problem.contains("no field is named \"Bar\""), "{problem}");
}

#[test]
fn a_variable_of_a_comprehension_is_known_inside_it_and_nowhere_else() {
    assert!(refused("tags.exists(tag, tag == 'x') && tag == 'y'").contains("\"tag\""));
    assert!(refused("tags.exists(tag, Tag == 'x')").contains("did you mean"));
    let apt = alert(blocked_apt());
    assert!(takes("tags.exists(a, labels.exists(b, a != b && labels[b] == 'web'))", &apt));
}

#[test]
fn text_that_is_no_condition_is_refused_with_its_place() {
    assert!(refused("PodName ==").starts_with("line 1, column "));
    assert_eq!(
        refused("namespace == 'x'"),
        "line 1, column 1: reserved identifier: namespace; the field is NamespaceName"
    );
    assert!(refused("").starts_with("line 1, column "));
    assert!(refused("labels.?app == 'x'").starts_with("line 1, column "));
}

#[test]
fn no_text_is_deep_enough_to_end_the_process() {
    let brackets = |count: usize| format!("{}true{}", "(".repeat(count), ")".repeat(count));
    let chain = |count: usize| format!("UID{} == 0", " + UID".repeat(count));
    let event = log(feeder::Log::default());
    for deep in [brackets(MAX_NESTING), chain(30), format!("{}true", "!".repeat(10_000))] {
        assert!(takes(&deep, &event));
    }
    assert!(refused(&brackets(MAX_NESTING + 1)).contains("more than 32"));
    assert!(refused(&"[".repeat(10_000)).contains("more than 32"));
    for chain in [chain(2_000), format!("labels{} == ''", ".a".repeat(8_000))] {
        assert!(refused(&chain).contains("deeper than 32"));
    }
    assert!(refused(&"true || ".repeat(5_000)).contains("bytes, more than"));
    let loops = "tags.exists(a, tags.exists(b, tags.exists(c, true)))";
    assert!(refused(loops).contains("more than 2 loops within each other"));
    let many = refused(&format!("{}true", "foo || ".repeat(1_000)));
    assert!(many.len() < 1_000, "{many}");
    assert!(takes(&format!("false{} || true", " || false".repeat(1_500)), &event));
}

#[test]
fn an_answer_that_is_not_true_or_false_is_refused() {
    assert!(refused("PodName").contains("the answer is a text"));
    assert!(refused("severity + 1").contains("the answer is a number"));
}

#[test]
fn types_that_do_not_fit_are_found_even_where_no_sample_leads() {
    for (when, why) in [
        ("Severity >= 5", "line 1, column 10: \">=\" does not take a text and a number"),
        ("Type == 'none' && PodName > 5", "\">\" does not take a text and a number"),
        ("true || severity", "line 1, column 6: \"||\" does not take a number"),
        ("Type == 'none' ? blocked : (PodName ? true : false)", "\"?:\" does not take a text"),
        ("Type == 'none' && size(severity) == 1", "\"size\" does not take a number"),
        ("Type == 'none' && PodName + 1 == 'x'", "does not take a text and a number"),
        ("PodName.startsWith(5)", "\"startsWith\" does not take a text and a number"),
        ("'x' in PodName", "\"in\" does not take a text and a text"),
        ("5 in labels", "\"in\" does not take a number and a map"),
        ("-PodName == 'x'", "does not take a text"),
        ("severity.matches('5')", "\"matches\" does not take a number and a pattern"),
    ] {
        let problem = refused(when);
        assert!(problem.contains(why), "{when}: {problem}");
    }
}

#[test]
fn comparisons_that_are_never_true_are_found() {
    for (when, why) in [
        ("PID == '42'", "a number never equals a text"),
        ("blocked == 'true'", "a condition never equals a text"),
        ("Type == 'none' && severity in ['high', 5]", "a number never equals a text"),
        ("5 in tags", "a number never equals a text"),
        ("PodName in ['a', severity]", "a text never equals a number"),
        ("PodName != null", "a text never equals null"),
        ("labels == 'app'", "a map never equals a text"),
        ("labels == {'app': 'web'}", "a map never equals a map"),
    ] {
        let problem = refused(when);
        assert!(problem.contains(why), "{when}: {problem}");
    }
    assert!(takes("PID == 42.0 && PID in [42u]", &alert(blocked_apt())));
}

#[test]
fn a_condition_that_fails_on_ordinary_events_is_refused() {
    assert!(refused("int(Severity) >= 5").contains("fails on some events"));
    assert!(refused("tags[0] == 'NIST'").contains("fails on some events"));
    assert!(takes("Severity != '' && int(Severity) >= 5", &alert(blocked_apt())));
    assert!(takes("size(tags) > 0 && tags[0] == 'NIST'", &alert(blocked_apt())));
}

#[test]
fn an_event_it_fails_on_later_is_an_error_for_the_caller_to_count() {
    let odd = alert(feeder::Alert { Severity: "high".into(), ..blocked_apt() });
    let answer = route("Severity != '' && int(Severity) >= 5").takes(&odd.view());
    assert!(answer.is_err(), "{answer:?}");
}

#[test]
fn patterns_are_literal_and_found_wherever_they_stand() {
    let apt = alert(blocked_apt());
    assert!(takes("Resource.matches('^/usr/bin/(apt|dnf)\\\\b')", &apt));
    assert!(takes("matches(Resource, r'apt\\s+install')", &apt));
    assert!(takes("tags.exists(tag, tag.matches('^MITRE')) && !PodName.matches('^db')", &apt));
    assert!(refused("Resource.matches(PodName)").contains("as a quoted text"));
    assert!(refused("Resource.matches()").contains("takes one pattern"));
    assert!(refused("Resource.matches('(a{1000}){1000}')").contains("is not a pattern"));
}

#[test]
fn every_function_is_one_that_the_language_has() {
    for function in filter::FUNCTIONS {
        let mut context = cel::Context::with_env(std::sync::Arc::clone(filter::env()));
        context.add_variable_from_value("x", cel::Value::Null);
        let undeclared = |text: &str| {
            let program = filter::env().compile(text).expect("a call");
            let answer = program.execute(&context);
            matches!(answer, Err(cel::ExecutionError::UndeclaredReference(_)))
        };
        let (global, member) = (format!("{function}(x)"), format!("x.{function}(x)"));
        assert!(!undeclared(&global) || !undeclared(&member), "{function}");
    }
}

#[test]
fn every_field_can_be_asked_for() {
    use sidearm_sinks::contract::{FIELDS, FieldKind};
    // CEL keeps the word "namespace" for itself.
    for field in FIELDS.iter().filter(|field| field.name != "namespace") {
        let name = field.name;
        let when = match field.kind() {
            FieldKind::Text => format!("{name} != 'no such text'"),
            FieldKind::Number => format!("{name} != -987654321"),
            FieldKind::Condition => format!("{name} || !{name}"),
            FieldKind::List | FieldKind::Map => format!("!('no such key' in {name})"),
        };
        assert!(takes(&when, &alert(blocked_apt())), "{when}");
    }
}

#[test]
fn messages_and_logs_are_asked_like_alerts() {
    let warning = message(feeder::Message { Level: "WARN".into(), ..feeder::Message::default() });
    assert!(takes("Level in ['WARN', 'ERROR']", &warning));
    assert!(!takes("Level == 'ERROR'", &warning));
    let failed = log(feeder::Log { Result: "No such file".into(), ..feeder::Log::default() });
    assert!(takes("Result != 'Passed'", &failed));
}

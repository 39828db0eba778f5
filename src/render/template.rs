//! A body that the configuration writes: Jinja over the names that filters know.
//!
//! Names are checked when the template is read, and it is tried on every sample event, so a slip
//! is found before an event meets it. A key that a map has not is empty. What a template may cost
//! is bounded: its own length, the steps it runs, the bytes it writes. Nothing is escaped unasked;
//! `| json` writes any value as JSON, quotes and all.

use std::{collections::BTreeMap, io};

use minijinja::{
    AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, escape_formatter,
    value::ValueKind,
};
use sidearm_sinks::contract::{self, Event};

use super::gap_in_words;
use crate::{fields, room::with_room, samples};

/// A template longer than this is a mistake.
const MAX_TEMPLATE_BYTES: usize = 64 * 1024;
/// What one rendering may run; a loop over a hundred labels takes some thousand.
const MAX_STEPS: u64 = 100_000;
/// Macros within macros: a lane's thread has the stack of an ordinary one.
const MAX_CALLS: usize = 32;
/// What one rendering may write.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The one template of its environment, as its errors call it.
const NAME: &str = "template";

/// A template that was read, checked and tried.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    /// The fields it names: only these are made ready for an event.
    fields: Vec<&'static str>,
}

impl Template {
    pub(super) fn new(source: &str) -> Result<Self, String> {
        if source.len() > MAX_TEMPLATE_BYTES {
            let bytes = source.len();
            return Err(format!("the template has {bytes} bytes, more than {MAX_TEMPLATE_BYTES}"));
        }
        with_room("the template", || Self::read(source))
    }

    fn read(source: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_fuel(Some(MAX_STEPS));
        environment.set_recursion_limit(MAX_CALLS);
        environment.set_debug(false);
        environment.remove_global("debug");
        environment.set_formatter(format);
        environment.add_filter("json", json);
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| sentence(&error))?;
        let fields = fields_of(&environment)?;
        let template = Self { environment, fields };
        template.try_samples()?;
        Ok(template)
    }

    /// Whether it names a field.
    pub(super) fn names(&self, field: &str) -> bool {
        self.fields.contains(&field)
    }

    /// Appends what the template writes for an event; on an error `out` is as it was.
    pub(super) fn render(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        let values: BTreeMap<&'static str, Value> =
            self.fields.iter().filter_map(|name| Some((*name, value_of(event, name)?))).collect();
        let start = out.len();
        let mut body = Body { end: start + MAX_BODY_BYTES, out };
        let template =
            self.environment.get_template(NAME).expect("the template was added when it was read");
        let rendered = template.render_captured_to(Value::from(values), &mut body).map(drop);
        rendered.map_err(|error| {
            out.truncate(start);
            sentence(&error)
        })
    }

    fn try_samples(&self) -> Result<(), String> {
        samples::all().iter().try_for_each(|sample| {
            self.render(&sample.view(), &mut Vec::new())
                .map_err(|why| format!("{why}, as with the sample {}", sample.name))
        })
    }
}

/// The fields a template names; an error where it names what is none.
fn fields_of(environment: &Environment<'_>) -> Result<Vec<&'static str>, String> {
    let template = environment.get_template(NAME).map_err(|error| sentence(&error))?;
    let mut paths: Vec<String> = template.undeclared_variables(true).into_iter().collect();
    paths.sort();
    let (mut fields, mut problems) = (Vec::new(), Vec::new());
    for path in &paths {
        let (name, key) = path.split_once('.').unwrap_or((path, ""));
        match fields::find(name) {
            Ok(field) if fields.last() != Some(&field.name) => fields.push(field.name),
            Ok(_) => {}
            Err(_) if environment.globals().any(|(global, _)| global == name) => {}
            Err(what) => problems.push(what),
        }
        if !key.is_empty() {
            problems.extend(fields::check_key(name, key).err());
        }
    }
    if problems.is_empty() { Ok(fields) } else { Err(problems.join("; ")) }
}

fn value_of(event: &Event<'_>, name: &str) -> Option<Value> {
    // So that a template made for alerts still says what a gap record is about.
    if let (Some(gap), "Message") = (event.gap(), name) {
        return Some(Value::from(gap_in_words(event.stream(), gap)));
    }
    Some(match event.field(name)? {
        contract::Value::Str(text) => Value::from(text),
        contract::Value::String(text) => Value::from(text),
        contract::Value::Int(number) => Value::from(number),
        contract::Value::Bool(condition) => Value::from(condition),
        contract::Value::List(texts) => texts.into_iter().map(Value::from).collect(),
        contract::Value::Map(entries) => {
            let entries = entries.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned()));
            Value::from(entries.collect::<BTreeMap<_, _>>())
        }
    })
}

/// A condition is written as JSON and filters write it, and not `True`.
fn format(
    out: &mut minijinja::Output<'_>,
    state: &mut minijinja::State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    match value.kind() {
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" })?,
        _ => escape_formatter(out, state, value)?,
    }
    Ok(())
}

/// `| json`, unlike `| tojson`, leaves `<`, `>` and `&` as they are: bodies are no HTML.
fn json(value: &Value) -> Result<String, minijinja::Error> {
    serde_json::to_string(value).map_err(|error| {
        minijinja::Error::new(ErrorKind::BadSerialization, "the value is none of JSON's")
            .with_source(error)
    })
}

fn sentence(error: &minijinja::Error) -> String {
    let place = error.line().map(|line| format!(" at line {line}")).unwrap_or_default();
    match error.kind() {
        ErrorKind::OutOfFuel => format!("the template ran more than {MAX_STEPS} steps{place}"),
        ErrorKind::WriteFailure => format!("the template wrote more than {MAX_BODY_BYTES} bytes"),
        kind => match error.detail() {
            Some(detail) => format!("the template fails{place}: {kind}: {detail}"),
            None => format!("the template fails{place}: {kind}"),
        },
    }
}

/// Where a template writes: the end of a body, no further than its limit.
struct Body<'o> {
    out: &'o mut Vec<u8>,
    end: usize,
}

impl io::Write for Body<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.out.len() + bytes.len() > self.end {
            return Err(io::Error::other("the body is too large"));
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sidearm_proto::feeder;
    use sidearm_sinks::contract::Stream;

    use super::*;
    use crate::{
        samples::Sample,
        testing::{alert, blocked_apt, gap, log},
    };

    fn rendered(source: &str, made: &Sample) -> String {
        let template = Template::new(source).unwrap_or_else(|why| panic!("{source}: {why}"));
        let mut out = b"before ".to_vec();
        template.render(&made.view(), &mut out).unwrap_or_else(|why| panic!("{source}: {why}"));
        let text = String::from_utf8(out).expect("a template writes text");
        text.strip_prefix("before ").expect("what stood there stays").to_owned()
    }

    fn refused(source: &str) -> String {
        Template::new(source).map(drop).expect_err(source)
    }

    #[test]
    fn a_template_writes_what_filters_name() {
        let apt = alert(blocked_apt());
        for (source, expected) in [
            ("{{ PodName }} {{ severity }} {{ blocked }} {{ stream }}", "web-7c9f 5 true alert"),
            ("{{ namespace }}/{{ pod }} {{ PID + 1 }}", "shop/web-7c9f 43"),
            ("{{ labels.app }}{{ labels['tier'] }}{{ labels.none }}", "webfront"),
            ("{% for tag in tags %}[{{ tag }}]{% endfor %}", "[NIST][MITRE_T1036_masquerading]"),
            ("{{ mitre | join(',') }}", "T1036"),
            ("{% if severity >= 5 and 'app' in labels %}x{% else %}y{% endif %}", "x"),
            ("{{ UserName | default('nobody', true) }}{{ Owner.Name }}", "nobody"),
            ("{% set where = namespace ~ '/' ~ pod %}{{ where }}", "shop/web-7c9f"),
            (
                "{% for key in labels %}{{ key }}={{ labels[key] }};{% endfor %}",
                "app=web;tier=front;",
            ),
            ("{% for n in range(3) %}{{ n }}{% endfor %}", "012"),
        ] {
            assert_eq!(rendered(source, &apt), expected, "{source}");
        }
    }

    #[test]
    fn every_field_can_be_written() {
        for name in sidearm_sinks::contract::FIELDS.iter().map(|field| field.name) {
            let text = rendered(&format!("{{{{ {name} | json }}}}"), &alert(blocked_apt()));
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{name}: {text}");
            assert_ne!(text, "null", "{name}");
        }
    }

    #[test]
    fn nothing_is_escaped_unless_asked_for() {
        let odd = alert(feeder::Alert { Resource: "<a> & \"b\"\n".into(), ..blocked_apt() });
        assert_eq!(rendered("{{ Resource }}", &odd), "<a> & \"b\"\n");
        assert_eq!(rendered("{{ Resource | json }}", &odd), r#""<a> & \"b\"\n""#);
        assert_eq!(
            rendered("{\"pid\": {{ PID | json }}, \"labels\": {{ labels | json }}}", &odd),
            r#"{"pid": 42, "labels": {"app":"web","tier":"front"}}"#
        );
        assert_eq!(
            rendered("{{ tags | json }} {{ labels.none | json }}", &odd),
            r#"["NIST","MITRE_T1036_masquerading"] null"#
        );
    }

    #[test]
    fn a_gap_record_speaks_through_the_message() {
        let text = rendered("{{ Type }}: {{ Message }}", &gap(Stream::Log));
        assert_eq!(
            text,
            "SidearmGap: log events from 2026-05-26T04:46:57.355927Z to \
             2026-05-26T04:47:27.000000Z may be missing, an unknown number of them: \
             the relay ended the stream"
        );
    }

    #[test]
    fn unknown_names_are_all_told_with_their_neighbours() {
        assert_eq!(
            refused("{{ PodNam }} {{ labels.app }} {{ quux }} {{ Owner.Nmae }}"),
            "Owner has no \"Nmae\"; did you mean \"Name\"?; \
             no field is named \"PodNam\"; did you mean \"PodName\"?; \
             no field is named \"quux\""
        );
        assert!(refused("{% if false %}{{ debug() }}{% endif %}").contains("\"debug\""));
    }

    #[test]
    fn a_template_that_cannot_be_read_is_refused_with_its_line() {
        assert!(refused("a\n{{ PodName ").contains("at line 2: syntax error"));
        assert!(refused("{% if blocked %}").contains("syntax error"));
        assert!(refused("{{ PodName | upcase }}").contains("unknown filter"));
        assert!(refused("{{ PodName.foo.bar }}").contains("undefined value"));
        assert!(refused("{% include 'x' %}").contains("the template fails"));
        assert!(refused(&"x".repeat(MAX_TEMPLATE_BYTES + 1)).contains("bytes, more than"));
    }

    #[test]
    fn no_template_is_deep_enough_to_end_the_process() {
        for part in ["(", "[", "-", "not ", "1 + ", "1 ~ ", "a if b else ", "{'a': "] {
            let why = refused(&format!("{{{{ {}", part.repeat(8_000)));
            assert!(why.contains("the template"), "{part}: {why}");
        }
        for part in ["{% if true %}", "{% for a in tags %}", "{% set a %}"] {
            let why = refused(&part.repeat(2_000));
            assert!(why.contains("the template"), "{part}: {why}");
        }
        let trimmed = format!("{{{{ PodName{} }}}}", "|trim".repeat(8_000));
        assert_eq!(rendered(&trimmed, &alert(blocked_apt())), "web-7c9f");
        for part in [".a", "[0]", "()", " + 1"] {
            let why = refused(&format!("{{{{ PodName{} }}}}", part.repeat(8_000)));
            assert!(why.contains("the template"), "{part}: {why}");
        }
    }

    #[test]
    fn a_template_cannot_run_away() {
        let loops = "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}";
        assert!(refused(loops).contains("more than 100000 steps"), "{}", refused(loops));
        assert!(refused("{{ 'x' * 2000000 }}").contains("more than 1048576 bytes"));
        assert!(refused("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").contains("template"));
    }

    #[test]
    fn a_macro_that_an_event_sets_off_ends_on_an_ordinary_stack() {
        let template = Template::new(
            "{% macro m() %}{{ m() }}{% endmacro %}{% if Cwd == '/odd' %}{{ m() }}{% endif %}",
        )
        .expect("no sample leads there");
        let odd = log(feeder::Log { Cwd: "/odd".into(), ..feeder::Log::default() });
        let why = template.render(&odd.view(), &mut Vec::new()).expect_err("no end to it");
        assert!(why.contains("recursion"), "{why}");
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let template =
            Template::new("{{ Cwd }}{% if Cwd == '/odd' %}{{ PodName.foo.bar }}{% endif %}")
                .expect("no sample leads there");
        let odd = log(feeder::Log { Cwd: "/odd".into(), ..feeder::Log::default() });
        let mut out = b"before".to_vec();
        let why = template.render(&odd.view(), &mut out).expect_err("an attribute of nothing");
        assert!(why.starts_with("the template fails at line 1: undefined value"), "{why}");
        assert_eq!(out, b"before");
    }
}

//! Event to body: KubeArmor's own JSON, a schema, text for people, or what a template writes. Pure.
//!
//! Owns the choice of the format and the limits of templates. A body carries no separator at its
//! end: that is the sink's. Events come from the route, bodies go into the sink's record.

mod template;
mod text;

use sidearm_sinks::{
    contract::{Event, Format, Gap, Stream},
    formats::{self, Writer},
};

use template::Template;

/// Writes events as bodies of one format.
#[derive(Debug)]
pub struct Renderer {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Written(Format, Writer),
    Text { colour: bool },
    Template(Box<Template>),
}

impl Renderer {
    /// A renderer of `format`. `template` is the text of [`Format::Template`], and of no other;
    /// `colour` concerns [`Format::Text`] alone.
    ///
    /// # Errors
    /// What is wrong with the template, with its line: it is missing or needless, it cannot be
    /// read, it names what no event has, or it fails on a sample event.
    pub fn new(format: Format, template: Option<&str>, colour: bool) -> Result<Self, String> {
        let form = match (format, template) {
            (Format::Template, Some(source)) => Form::Template(Box::new(Template::new(source)?)),
            (Format::Template, None) => {
                return Err("the format is \"template\", but no template is given".to_owned());
            }
            (_, Some(_)) => {
                return Err("a template is given, but the format is not \"template\"".to_owned());
            }
            (Format::Text, None) => Form::Text { colour },
            (format, None) => {
                let writer = formats::writer(format);
                Form::Written(format, writer.expect("every format but those above has a writer"))
            }
        };
        Ok(Self { form })
    }

    /// The format of its bodies.
    pub fn format(&self) -> Format {
        match self.form {
            Form::Written(format, _) => format,
            Form::Text { .. } => Format::Text,
            Form::Template(_) => Format::Template,
        }
    }

    /// Whether its bodies say how many events a message stands for.
    pub fn tells_of_many(&self) -> bool {
        match &self.form {
            Form::Written(format, _) => *format != Format::Native,
            Form::Text { .. } => true,
            Form::Template(template) => template.names("count"),
        }
    }

    /// Appends an event's body to `out`.
    ///
    /// # Errors
    /// Why a template could not be rendered for this event; `out` is then as it was. The other
    /// formats never fail.
    pub fn render(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        match &self.form {
            Form::Written(_, write) => write(event, out),
            Form::Text { colour } => text::write(event, *colour, out),
            Form::Template(template) => return template.render(event, out),
        }
        Ok(())
    }
}

/// What a gap record says, as a sentence.
fn gap_in_words(stream: Stream, gap: &Gap<'_>) -> String {
    let Gap { from, to, reason, lost, .. } = gap;
    let lost = match lost {
        0 => "an unknown number of them".to_owned(),
        lost => format!("{lost} of them"),
    };
    format!("{stream} events from {from} to {to} may be missing, {lost}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alert, blocked_apt, gap};

    #[test]
    fn a_template_and_its_format_belong_together() {
        for (format, template) in
            [(Format::Template, None), (Format::Json, Some("x")), (Format::Text, Some("x"))]
        {
            assert!(Renderer::new(format, template, false).is_err(), "{format:?}");
        }
    }

    #[test]
    fn bodies_are_appended_without_a_separator() {
        for (format, template) in
            [(Format::Json, None), (Format::Text, None), (Format::Template, Some("{{ pod }}"))]
        {
            let renderer = Renderer::new(format, template, false).expect("a right format");
            let mut out = b"before".to_vec();
            renderer.render(&alert(blocked_apt()).view(), &mut out).expect("a body");
            let text = String::from_utf8(out).expect("bodies are text");
            assert!(text.starts_with("before") && text.contains("web-7c9f"), "{text}");
            assert!(!text.ends_with('\n'), "{text}");
        }
    }

    #[test]
    fn a_gap_record_is_told_in_every_format() {
        let gap = gap(Stream::Alert);
        for format in [Format::Json, Format::Text] {
            let mut out = Vec::new();
            let renderer = Renderer::new(format, None, false).expect("a right format");
            renderer.render(&gap.view(), &mut out).expect("a body");
            let text = String::from_utf8(out).expect("bodies are text");
            assert!(text.contains("the relay ended the stream"), "{text}");
            assert!(text.contains("2026-05-26T04:46:57.355927Z"), "{text}");
        }
    }
}

//! A setting: where a message's link leads, as a rule into the SIEM that keeps the whole event.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Event, Prefixed, SecretUrl, Setting};

/// An address that an event may complete behind its host, and never decide.
#[derive(Debug, Clone)]
pub(crate) struct Link(Prefixed);

/// The setting of a [`Link`].
pub(crate) const LINK: Setting = Setting {
    key: "link",
    help: "where a message's link leads; literal text, then fields: \
           \"https://siem.example.com/?id={{ id }}\". Default: no link",
};

impl Link {
    /// The address for one event.
    pub(crate) fn of(&self, event: &Event<'_>) -> String {
        self.0.complete(event, in_a_query)
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let link = Prefixed::parse(&text).map_err(D::Error::custom)?;
        let is_link = SecretUrl::parse(link.prefix()).is_ok()
            && link.prefix().splitn(4, '/').count() == 4
            && link.literals().all(|literal| literal.chars().all(in_an_address));
        if !is_link {
            return Err(D::Error::custom(
                "expected an address such as \"https://siem.example.com/?id={{ id }}\": an event \
                 must not decide its host, and `<`, `>`, `|`, `\"`, `\\` are written as %3C, ...",
            ));
        }
        Ok(Self(link))
    }
}

/// What RFC 3986 has in an address, braces and the like, which people paste, among it: but nothing
/// that ends a link in any product's markup.
fn in_an_address(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '<' | '>' | '|' | '"' | '\\' | '`')
}

fn in_a_query(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::with_event;

    fn link(text: &str) -> Result<Link, serde::de::value::Error> {
        Link::deserialize(serde::de::value::StrDeserializer::new(text))
    }

    #[test]
    fn an_event_completes_it_and_never_decides_its_host() {
        let line = r#"{"HostName":"n1/../?x=<b>","Type":"HostLog"}"#;
        with_event(line, |event| {
            let of = |text: &str| link(text).expect(text).of(&event);
            assert_eq!(of("https://siem/{{ HostName }}"), "https://siem/n1_..__x__b_");
            let id = event.id();
            assert_eq!(
                of("https://siem/a?q=(id:'{{ id }}')"),
                format!("https://siem/a?q=(id:'{id}')")
            );
        });
        for text in [
            "https://{{ HostName }}/",
            "https://siem.{{ HostName }}/x",
            "javascript:alert(1)//x",
            "https://siem/?a=<b>{{ id }}",
            "https://siem/?a={{ id }}|b",
            "https://siem/?a={{ id }} b",
            "siem/{{ id }}",
        ] {
            assert!(link(text).is_err(), "{text}");
        }
    }
}

//! The settings of `mail` that have rules of their own: a server, and addresses that no header
//! and no command can be broken with.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::message::words;

/// RFC 5321, 4.5.3.1.
const MAX_ADDRESS_CHARS: usize = 254;
const MAX_LOCAL_CHARS: usize = 64;
/// Servers take at least 100 in one dialogue.
const MAX_RECIPIENTS: usize = 50;

/// A server's name and port.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
}

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let split = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match split {
            Some((host, port)) if port > 0 && (is_domain(host) || is_ip(host)) => {
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                Ok(Self { host, port })
            }
            _ => Err(D::Error::custom(format!(
                "expected a server's name and port such as \"smtp.example.com:587\", found \"{text}\""
            ))),
        }
    }
}

fn is_ip(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    inner.parse::<std::net::IpAddr>().is_ok()
}

/// Labels of letters, digits and hyphens, with dots between them.
pub(super) fn is_domain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// An address, and the name that is shown for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    name: String,
    pub(super) address: String,
}

impl Mailbox {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected an address such as \"soc@example.com\" or \"Name <soc@example.com>\", \
                 found \"{}\"",
                text.escape_debug()
            )
        };
        let (name, address) = match text.trim().strip_suffix('>') {
            Some(rest) => rest.rsplit_once('<').ok_or_else(expected)?,
            None => ("", text.trim()),
        };
        let name = name.trim().trim_matches('"');
        if !is_address(address) || name.chars().any(char::is_control) || name.len() > 200 {
            return Err(expected());
        }
        Ok(Self { name: name.to_owned(), address: address.to_owned() })
    }

    /// What stands behind the `@`.
    pub(super) fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// As a header has it; `used` characters of the line are taken. On a line of its own where
    /// both do not fit into one.
    pub(super) fn header(&self, used: usize) -> String {
        if self.name.is_empty() {
            return self.address.clone();
        }
        // Quoted, so that no comma and no colon can end it.
        let name = match self.name.is_ascii() {
            true => format!("\"{}\"", self.name.replace('\\', "\\\\").replace('"', "\\\"")),
            false => words(&self.name, used),
        };
        format!("{name}\r\n <{}>", self.address)
    }
}

/// The dotted words of RFC 5321, in ASCII: what every server takes.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let in_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    text.len() <= MAX_ADDRESS_CHARS
        && local.len() <= MAX_LOCAL_CHARS
        && local.split('.').all(|word| !word.is_empty() && word.chars().all(in_local))
        && is_domain(domain)
}

impl<'de> Deserialize<'de> for Mailbox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// One or more recipients, each once.
#[derive(Debug, Clone)]
pub(super) struct Recipients(pub(super) Vec<Mailbox>);

impl<'de> Deserialize<'de> for Recipients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut mailboxes = Vec::<Mailbox>::deserialize(deserializer)?;
        if !(1..=MAX_RECIPIENTS).contains(&mailboxes.len()) {
            let found = mailboxes.len();
            return Err(D::Error::custom(format!(
                "expected 1 to {MAX_RECIPIENTS} recipients, found {found}"
            )));
        }
        mailboxes.sort_by(|a, b| a.address.cmp(&b.address));
        mailboxes.dedup_by(|a, b| a.address == b.address);
        Ok(Self(mailboxes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_or_named() {
        for (text, name, address) in [
            ("soc@example.com", "", "soc@example.com"),
            ("SOC <a.b+c@x.example>", "SOC", "a.b+c@x.example"),
            ("\"S, O\" <a@b>", "S, O", "a@b"),
            ("Schütz <a@b>", "Schütz", "a@b"),
        ] {
            let mailbox = Mailbox::parse(text).expect(text);
            assert_eq!((mailbox.name.as_str(), mailbox.address.as_str()), (name, address));
            let header = mailbox.header(6);
            assert!(header.is_ascii(), "{header}");
        }
        for text in [
            "",
            "soc",
            "@x",
            "a@",
            "a b@c",
            "a@b c",
            "a@b\r\nBcc: d@e",
            "A\r\nBcc: d@e <a@b>",
            "a..b@c",
            "ä@b",
            "a@b>",
            "<a@b",
            "a@-b",
            "a@b@c",
            "\"a\"@b",
        ] {
            assert!(Mailbox::parse(text).is_err(), "{text:?}");
        }
    }
}

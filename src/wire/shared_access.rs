//! Shared access signatures of Azure: who sends, and until when
//! (<https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature>).
//!
//! The signature covers the address and the end of its validity, not the body, so one serves many
//! requests; it is made anew for each attempt all the same, for that costs a microsecond.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sidearm_sinks::contract::SharedAccess;

/// How long a signature holds. Long enough for clocks that differ by minutes.
pub(super) const VALIDITY: Duration = Duration::from_secs(60 * 60);

/// The token of an attempt at `now`.
pub(super) fn token(access: &SharedAccess, now: SystemTime) -> String {
    match access {
        SharedAccess::Token(token) => token.reveal().to_owned(),
        SharedAccess::Key { resource, name, key } => {
            let end = (now + VALIDITY).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            signed(resource, name, key.reveal(), end.as_secs())
        }
    }
}

fn signed(resource: &str, name: &str, key: &str, end_seconds: u64) -> String {
    let resource = encoded(resource);
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{resource}\n{end_seconds}").as_bytes());
    let signature = encoded(&BASE64.encode(mac.finalize().into_bytes()));
    let name = encoded(name);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={end_seconds}&skn={name}")
}

/// Percent-encoded, but for what a URL takes anywhere.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into());
            }
            _ => write!(out, "%{byte:02X}").expect("a string takes every write"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use sidearm_sinks::contract::Secret;

    use super::*;

    #[test]
    fn a_signature_covers_the_address_and_its_end() {
        let access = SharedAccess::Key {
            resource: "https://ns.servicebus.windows.net/hub".to_owned(),
            name: "send only".to_owned(),
            key: Secret::new("bXkga2V5"),
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        // The signature was made with `openssl dgst -sha256 -hmac`.
        assert_eq!(
            token(&access, now),
            "SharedAccessSignature sr=https%3A%2F%2Fns.servicebus.windows.net%2Fhub&sig=ADv5T4l2EtWazu95ux3t1GlFGYaQOzmBhz5duQzEpyg%3D\
             &se=1700003600&skn=send%20only"
        );
    }

    #[test]
    fn a_token_that_was_given_goes_as_it_is() {
        let access = SharedAccess::Token(Secret::new("SharedAccessSignature sr=a&se=1&skn=b"));
        assert_eq!(token(&access, SystemTime::now()), "SharedAccessSignature sr=a&se=1&skn=b");
    }
}

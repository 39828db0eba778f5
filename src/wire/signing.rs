//! Standard Webhooks 1.0 (<https://www.standardwebhooks.com>): who sent it, and when.
//!
//! The signature covers the id, the time of the attempt and the body before compression, which is
//! what receivers see once their server has unpacked it.

use std::time::SystemTime;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;
use sidearm_sinks::contract::{Secret, Signing};

/// Adds `webhook-id`, `webhook-timestamp` and `webhook-signature`, one signature a key.
///
/// # Errors
/// A key is not `whsec_` and base64, or the id cannot stand in a header.
pub(super) fn sign(
    signing: &Signing,
    id: &str,
    now: SystemTime,
    body: &[u8],
    headers: &mut HeaderMap,
) -> Result<(), String> {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let signatures: Vec<String> = signing
        .keys
        .iter()
        .map(|key| signature(key, id, seconds, body))
        .collect::<Result<_, _>>()?;
    for (name, value) in [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ] {
        let value = HeaderValue::try_from(value)
            .map_err(|_| format!("signing a message: its {name} cannot stand in a header"))?;
        headers.insert(name, value);
    }
    Ok(())
}

fn signature(key: &Secret, id: &str, seconds: u64, body: &[u8]) -> Result<String, String> {
    let key = key
        .reveal()
        .strip_prefix("whsec_")
        .and_then(|text| BASE64.decode(text).ok())
        .ok_or("signing a message: expected a key of \"whsec_\" and base64")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_the_specification_s_own_example() {
        let signed = signature(
            &Secret::new(KEY),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            b"{\"test\": 2432232314}",
        );
        assert_eq!(signed.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn every_key_signs_and_a_broken_one_is_refused_unseen() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        let mut headers = HeaderMap::new();
        let two = Signing { keys: vec![Secret::new(KEY), Secret::new("whsec_AAAA")] };
        sign(&two, "msg_1", now, b"{}", &mut headers).expect("two keys");
        assert_eq!(headers["webhook-id"], "msg_1");
        assert_eq!(headers["webhook-timestamp"], "5");
        let signatures = headers["webhook-signature"].to_str().expect("text");
        assert_eq!(signatures.split(' ').filter(|one| one.starts_with("v1,")).count(), 2);

        let broken = Signing { keys: vec![Secret::new("hunter2")] };
        let error = sign(&broken, "msg_1", now, b"", &mut headers).expect_err("no key");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

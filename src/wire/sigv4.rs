//! AWS's Signature Version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>).
//!
//! The signature covers the moment, the address and the body as it is sent, compressed. Keys are
//! those of the configuration, or found as AWS's own tools find them: environment, shared files,
//! web identity (IRSA), pod identity or container, instance. Found keys are kept until shortly
//! before they end, longer where newer ones cannot be had, and no longer than they are taken.

mod found;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sidearm_sinks::contract::{AwsKeys, SigV4};
use tokio::sync::Mutex;

use self::found::Finder;
use super::WireError;

/// Keys that end sooner are fetched anew.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);
/// Keys without an end (a file, the environment) are looked at again after this time.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(15 * 60);
/// Where a renewal fails, the old keys serve for so long before the next one.
const RENEWED_AGAIN: Duration = Duration::from_secs(30);
/// Keys that end sooner are not signed with: clocks differ, and requests take their time.
const MIN_REST: Duration = Duration::from_secs(60);
/// Headers that are signed beside the host's and those of AWS; gateways may change the others.
const SIGNED: [HeaderName; 2] = [header::CONTENT_TYPE, header::CONTENT_LENGTH];

/// Signs requests to one destination.
#[derive(Debug)]
pub(super) struct Signer {
    for_whom: SigV4,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Given(Credentials),
    Found { finder: Finder, kept: Mutex<Option<Kept>> },
}

#[derive(Debug)]
struct Kept {
    keys: Credentials,
    renewed_at: SystemTime,
}

impl Kept {
    fn new(keys: Credentials, now: SystemTime) -> Self {
        let renewed_at = keys
            .expiry()
            .map_or(now + LOOKED_AT_AGAIN, |end| end.checked_sub(RENEWED_BEFORE).unwrap_or(now));
        Self { keys, renewed_at }
    }

    fn holds(&self, now: SystemTime) -> bool {
        self.keys.expiry().is_none_or(|end| now + MIN_REST < end)
    }
}

impl Signer {
    /// A signer; looks for no keys yet.
    ///
    /// # Errors
    /// The client that keys are fetched with cannot be made.
    pub(super) fn new(for_whom: &SigV4) -> Result<Self, String> {
        let keys = match &for_whom.keys {
            Some(AwsKeys { id, secret, session_token }) => {
                let token = session_token.as_ref().map(|token| token.reveal().to_owned());
                let (id, secret) = (id.reveal(), secret.reveal());
                Keys::Given(Credentials::new(id, secret, token, None, "the configuration"))
            }
            None => Keys::Found { finder: Finder::new(&for_whom.region)?, kept: Mutex::new(None) },
        };
        Ok(Self { for_whom: for_whom.clone(), keys })
    }

    /// Adds the headers that prove who sends this very request at this moment.
    ///
    /// # Errors
    /// No keys could be had, so nothing was sent.
    pub(super) async fn sign(
        &self,
        method: &Method,
        url: &str,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<(), WireError> {
        let keys = self.keys(SystemTime::now()).await?;
        self.sign_with(keys, SystemTime::now(), method, url, headers, body)
            .map_err(|error| WireError::Unusable(format!("signing a request: {error}")))
    }

    fn sign_with(
        &self,
        keys: Credentials,
        now: SystemTime,
        method: &Method,
        url: &str,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<(), String> {
        let mut settings = SigningSettings::default();
        // OpenSearch Serverless refuses a request without the body's hash beside it.
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let identity = keys.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.for_whom.region)
            .name(&self.for_whom.service)
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let signed: Vec<(&str, &str)> = SIGNED
            .iter()
            .filter_map(|name| Some((name.as_str(), headers.get(name)?.to_str().ok()?)))
            .collect();
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new(method.as_str(), url, signed.into_iter(), body);
        let output = request.and_then(|request| sign(request, &params));
        let (instructions, _) = output.map_err(|error| error.to_string())?.into_parts();
        for (name, value) in instructions.headers() {
            let name: HeaderName = name.parse().map_err(|_| "a header of no name".to_owned())?;
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| "the keys hold characters that no header may".to_owned())?;
            value.set_sensitive(matches!(name.as_str(), "authorization" | "x-amz-security-token"));
            headers.insert(name, value);
        }
        Ok(())
    }

    async fn keys(&self, now: SystemTime) -> Result<Credentials, WireError> {
        let (finder, kept) = match &self.keys {
            Keys::Given(keys) => return Ok(keys.clone()),
            Keys::Found { finder, kept } => (finder, kept),
        };
        // Held while keys are fetched: attempts at once need one fetching only.
        let mut kept = kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| now < kept.renewed_at) {
            return Ok(kept.keys.clone());
        }
        let error = match finder.find().await {
            Ok(keys) => {
                *kept = Some(Kept::new(keys.clone(), now));
                return Ok(keys);
            }
            Err(error) => error,
        };
        let Some(old) = kept.as_mut().filter(|old| old.holds(now)) else { return Err(error) };
        tracing::warn!(%error, "AWS credentials could not be renewed; the old ones still hold");
        old.renewed_at = now + RENEWED_AGAIN;
        Ok(old.keys.clone())
    }

    /// Forgets keys that were found: whom they were shown to refuses them, so the next attempt
    /// looks for those of its own time.
    pub(super) async fn forget(&self) {
        if let Keys::Found { kept, .. } = &self.keys {
            *kept.lock().await = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use sidearm_sinks::contract::Secret;

    use super::*;

    /// The keys, moment and place of AWS's own test suite for signatures
    /// (<https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4>).
    fn suite() -> Signer {
        let keys = AwsKeys {
            id: Secret::new("AKIDEXAMPLE"),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        };
        let (region, service) = ("us-east-1".to_owned(), "service".to_owned());
        Signer::new(&SigV4 { region, service, keys: Some(keys) }).expect("keys are given")
    }

    fn signed(signer: &Signer, body: &[u8], headers: &mut HeaderMap) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let Keys::Given(keys) = &signer.keys else { panic!("keys are given") };
        let url = "https://example.amazonaws.com/";
        signer
            .sign_with(keys.clone(), now, &Method::POST, url, headers, body)
            .expect("a signature");
    }

    #[test]
    fn the_signature_is_the_one_of_aws_s_own_test_suite() {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("13"));
        headers.insert("x-tenant", HeaderValue::from_static("is not signed"));
        signed(&suite(), b"Param1=value1", &mut headers);
        assert_eq!(headers["x-amz-date"], "20150830T123600Z");
        assert_eq!(
            headers["x-amz-content-sha256"],
            "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
        );
        assert_eq!(
            headers["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date, \
             Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"
        );
        assert!(headers["authorization"].is_sensitive());
    }

    #[test]
    fn a_session_s_token_goes_along_and_is_signed() {
        let mut for_whom = suite().for_whom;
        for_whom.keys.as_mut().expect("keys").session_token = Some(Secret::new("hunter2"));
        let signer = Signer::new(&for_whom).expect("keys are given");
        let mut headers = HeaderMap::new();
        signed(&signer, b"", &mut headers);
        assert_eq!(headers["x-amz-security-token"], "hunter2");
        assert!(headers["x-amz-security-token"].is_sensitive());
        let authorization = headers["authorization"].to_str().expect("text");
        assert!(authorization.contains(";x-amz-security-token,"), "{authorization}");
        let shown = format!("{signer:?} {headers:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("wJalr"), "{shown}");
    }
}

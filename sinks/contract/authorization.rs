//! Who we are to an HTTP destination, as the value of `Authorization` that each request bears.
//!
//! Checked when the configuration is read, so that no request is ever made without it; marked
//! sensitive, so that nothing shows it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderValue;

use super::{Secret, SettingError};

/// The settings `username`, `password` and `token` of a table: HTTP Basic, a bearer token, or
/// nothing at all.
pub(crate) fn authorization(
    username: Option<&str>,
    password: Option<&Secret>,
    token: Option<&Secret>,
) -> Result<Option<HeaderValue>, SettingError> {
    match (username, password, token) {
        (None, None, None) => Ok(None),
        (Some(username), Some(password), None) => basic(username, password).map(Some),
        (None, None, Some(token)) => bearer(token).map(Some),
        (_, _, Some(_)) => {
            let why = "found a token beside a user's name or password, expected one of the two";
            Err(SettingError::at("token", why))
        }
        (None, Some(_), None) => Err(SettingError::at("password", "expected `username` beside it")),
        (Some(_), None, None) => Err(SettingError::at("username", "expected `password` beside it")),
    }
}

/// HTTP Basic (RFC 7617), of the settings `username` and `password`.
fn basic(username: &str, password: &Secret) -> Result<HeaderValue, SettingError> {
    if username.contains(':') {
        let why = "expected a user's name without a colon, which Basic ends it with";
        return Err(SettingError::at("username", why));
    }
    let pair = BASE64.encode(format!("{username}:{}", password.reveal()));
    scheme("Basic", &pair, "password")
}

/// A bearer token (RFC 6750), of the setting `token`.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, SettingError> {
    scheme("Bearer", token.reveal(), "token")
}

/// A scheme and what it is given; `key` is the setting to blame.
pub(crate) fn scheme(scheme: &str, value: &str, key: &str) -> Result<HeaderValue, SettingError> {
    let is_whole = !value.is_empty() && value.trim() == value;
    let header = HeaderValue::from_str(&format!("{scheme} {value}")).ok().filter(|_| is_whole);
    let mut header = header.ok_or_else(|| {
        SettingError::at(key, "expected one line of visible characters, without blanks around it")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: [&str; 3]) -> Result<Option<HeaderValue>, SettingError> {
        let [username, password, token] = lines;
        let secret = |text: &str| (!text.is_empty()).then(|| Secret::new(text));
        let username = (!username.is_empty()).then_some(username);
        authorization(username, secret(password).as_ref(), secret(token).as_ref())
    }

    #[test]
    fn a_name_and_its_password_or_a_token_prove_it_and_are_never_shown() {
        for (given, expected) in [
            (["aladdin", "open:sesame", ""], "Basic YWxhZGRpbjpvcGVuOnNlc2FtZQ=="),
            (["", "", "hunter2"], "Bearer hunter2"),
        ] {
            let header = of(given).expect("credentials").expect("a header");
            assert_eq!(header, expected);
            assert_eq!(format!("{header:?}"), "Sensitive");
        }
        assert_eq!(of([""; 3]).expect("nobody"), None);
    }

    #[test]
    fn mistakes_are_told_with_their_key_and_without_the_secret() {
        for (given, path) in [
            (["u", "", ""], "username"),
            (["", "hunter2", ""], "password"),
            (["a:b", "hunter2", ""], "username"),
            (["u", "hunter2", "hunter2"], "token"),
            (["", "", "hunter2\n"], "token"),
            (["", "", "hunter2\nx: y"], "token"),
            (["", "", " "], "token"),
        ] {
            let error = of(given).expect_err(path);
            assert_eq!(error.path, path, "{}", error.message);
            assert!(!error.message.contains("hunter2"), "{}", error.message);
        }
    }
}

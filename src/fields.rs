//! The names that filters and templates write, looked up among those there are.

use sidearm_sinks::contract::{FIELDS, Field, did_you_mean};

/// Maps whose keys are always the same, so that a slip in a key can be told.
const KEYS: [(&str, &[&str]); 2] =
    [("Owner", &["Ref", "Name", "Namespace"]), ("ExecEvent", &["ExecID", "ExecutableName"])];

/// The field of a name, or why there is none.
pub(crate) fn find(name: &str) -> Result<&'static Field, String> {
    FIELDS.iter().find(|field| field.name == name).ok_or_else(|| {
        let hint = did_you_mean(name, FIELDS.iter().map(|field| field.name));
        format!("no field is named \"{name}\"{hint}")
    })
}

/// Why a field can never have a key.
pub(crate) fn check_key(field: &str, key: &str) -> Result<(), String> {
    let Some((_, keys)) = KEYS.iter().find(|(name, _)| *name == field) else { return Ok(()) };
    if keys.contains(&key) {
        return Ok(());
    }
    let hint = did_you_mean(key, keys.iter().copied());
    Err(format!("{field} has no \"{key}\"{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_brings_the_nearest() {
        assert_eq!(find("NamespaceName").map(|field| field.name), Ok("NamespaceName"));
        let problem = find("NamespacName").expect_err("no such field");
        assert_eq!(problem, "no field is named \"NamespacName\"; did you mean \"NamespaceName\"?");
        assert_eq!(find("quux").map(|_| ()), Err("no field is named \"quux\"".to_owned()));
    }

    #[test]
    fn keys_are_checked_where_they_are_known() {
        assert_eq!(check_key("Owner", "Name"), Ok(()));
        assert_eq!(check_key("labels", "whatever"), Ok(()));
        assert_eq!(
            check_key("Owner", "NameSpace"),
            Err("Owner has no \"NameSpace\"; did you mean \"Namespace\"?".to_owned())
        );
    }
}

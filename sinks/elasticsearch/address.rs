//! Where the cluster is.

use http::Uri;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::contract::SecretUrl;

/// `https://elastic:9200`, perhaps behind a proxy's own path.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    /// Without a slash at its end.
    base: String,
    host: String,
}

impl Cluster {
    fn parse(text: &str) -> Result<Self, String> {
        let url = SecretUrl::parse(text)?;
        let uri: Uri = url.reveal().parse().map_err(|_| "expected an address".to_owned())?;
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if has_user || uri.query().is_some() || text.contains('#') {
            return Err(
                "expected an address without user, query or fragment: `username`, `api_key` \
                        and the like are settings of their own"
                    .to_owned(),
            );
        }
        let base = text.trim_end_matches('/');
        if base.ends_with("/_bulk") {
            return Err("expected the address of the cluster, without /_bulk: what comes behind \
                        is ours"
                .to_owned());
        }
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        Ok(Self { base: base.to_owned(), host })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Region and service, where the address is one of AWS's own:
    /// `NAME.REGION.es.amazonaws.com`, `ID.REGION.aoss.amazonaws.com`, and China's `.com.cn`.
    pub(super) fn aws(&self) -> Option<(&str, &str)> {
        let labels: Vec<&str> = self.host.split('.').collect();
        let amazon = labels.iter().position(|label| *label == "amazonaws")?;
        let service = *labels.get(amazon.checked_sub(1)?)?;
        let region = *labels.get(amazon.checked_sub(2)?)?;
        matches!(service, "es" | "aoss").then_some((region, service))
    }
}

impl<'de> Deserialize<'de> for Cluster {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_s_address_has_no_credentials_and_perhaps_a_path() {
        for (text, base) in [
            ("https://elastic:9200", "https://elastic:9200"),
            ("http://localhost:9200/", "http://localhost:9200"),
            ("https://gateway/es/", "https://gateway/es"),
        ] {
            assert_eq!(Cluster::parse(text).expect(text).base(), base);
        }
        for text in [
            "elastic:9200",
            "https://elastic:hunter2@elastic:9200",
            "https://elastic:9200?token=hunter2",
            "https://elastic:9200/kubearmor/_bulk",
        ] {
            let error = Cluster::parse(text).expect_err(text);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn aws_s_addresses_tell_region_and_service() {
        let of = |text: &str| {
            let cluster = Cluster::parse(text).expect(text);
            cluster.aws().map(|(region, service)| format!("{region} {service}"))
        };
        let search = "https://search-siem-abc123.eu-central-1.es.amazonaws.com";
        assert_eq!(of(search).as_deref(), Some("eu-central-1 es"));
        let serverless = "https://07tjusf2h91cunochc.us-east-1.aoss.amazonaws.com:443";
        assert_eq!(of(serverless).as_deref(), Some("us-east-1 aoss"));
        let china = "https://vpc-siem.cn-north-1.es.amazonaws.com.cn";
        assert_eq!(of(china).as_deref(), Some("cn-north-1 es"));
        assert_eq!(of("https://elastic:9200"), None);
        assert_eq!(of("https://s3.amazonaws.com"), None);
    }
}

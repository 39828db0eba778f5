//! Who we are to Azure: an identity of Microsoft Entra, or a shared access key.
//!
//! Here is what a configuration says of it. Tokens are fetched, and signatures made, by the wire:
//! both need the time of the attempt.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Proof, Secret, SecretUrl};

/// A bearer token of Microsoft Entra.
#[derive(Debug, Clone)]
pub struct Entra {
    /// What the token is for: `https://monitor.azure.com/.default`.
    pub scope: String,
    /// Who asks for it.
    pub identity: Identity,
    /// The cloud whose token server is asked.
    pub cloud: Cloud,
}

/// The clouds that Microsoft runs apart from each other
/// (<https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cloud {
    /// The public one.
    #[default]
    Public,
    /// Azure Government.
    Government,
    /// Azure in China, run by 21Vianet.
    China,
}

impl Cloud {
    /// The cloud that a host is in, by the end of its name.
    pub fn of_host(host: &str) -> Self {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| host.ends_with(end));
        if ends(&[".azure.us", ".usgovcloudapi.net", ".microsoftonline.us"]) {
            Self::Government
        } else if ends(&[".azure.cn", ".chinacloudapi.cn"]) {
            Self::China
        } else {
            Self::Public
        }
    }

    /// The token server of applications.
    pub fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::Government => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }
}

/// Who asks for a token.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// How it is proved.
    pub kind: IdentityKind,
    /// Whom to ask instead of the cloud's own token server, or of the node's, of which a managed
    /// identity's tokens come.
    pub authority: Option<SecretUrl>,
}

/// How an identity is proved.
#[derive(Debug, Clone, Default)]
pub enum IdentityKind {
    /// As the environment has it: workload, else client secret, else managed.
    #[default]
    Environment,
    /// The node's or the pod's own, without any secret.
    Managed {
        /// Which of several; none for the one that the system assigned.
        client_id: Option<String>,
    },
    /// Microsoft Entra Workload ID of Kubernetes: a token file that the cluster renews.
    Workload {
        /// None: `AZURE_TENANT_ID`.
        tenant: Option<String>,
        /// None: `AZURE_CLIENT_ID`.
        client_id: Option<String>,
    },
    /// An application with a secret.
    ClientSecret {
        /// The directory's id.
        tenant: String,
        /// The application's id.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
}

/// The settings of an [`Identity`].
pub(crate) mod identity {
    use super::super::Setting;

    pub(crate) const KIND: Setting = Setting {
        key: "identity.kind",
        help: "how we prove who we are: \"managed\", \"workload\", \"client_secret\", or \
               \"environment\", as AZURE_… say it. Default: client_secret where that is set, \
               else environment",
    };
    pub(crate) const TENANT: Setting =
        Setting { key: "identity.tenant", help: "the directory's id (workload, client_secret)" };
    pub(crate) const CLIENT_ID: Setting =
        Setting { key: "identity.client_id", help: "the application's or the identity's id" };
    pub(crate) const CLIENT_SECRET: Setting =
        Setting { key: "identity.client_secret", help: "the application's secret" };
    pub(crate) const AUTHORITY: Setting = Setting {
        key: "identity.authority",
        help: "the token server. Default: that of the cloud which the address is in",
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Environment,
    Managed,
    Workload,
    ClientSecret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: Option<Kind>,
    tenant: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    authority: Option<SecretUrl>,
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::deserialize(deserializer)?;
        Self::of(table).map_err(D::Error::custom)
    }
}

impl Identity {
    fn of(table: Table) -> Result<Self, &'static str> {
        let Table { kind, tenant, client_id, client_secret, authority } = table;
        if [&tenant, &client_id].into_iter().flatten().any(|id| !is_id(id)) {
            return Err("expected `tenant` and `client_id` to be ids such as \
                        \"72f988bf-86f1-41af-91ab-2d7cd011db47\"");
        }
        let kind = kind.unwrap_or(match client_secret {
            Some(_) => Kind::ClientSecret,
            None => Kind::Environment,
        });
        if kind != Kind::ClientSecret && client_secret.is_some() {
            return Err(
                "expected no `client_secret` beside this `kind`; kind = \"client_secret\" \
                        takes it",
            );
        }
        let kind = match (kind, tenant, client_id, client_secret) {
            (Kind::Environment, None, None, _) => IdentityKind::Environment,
            (Kind::Environment, ..) => {
                return Err("expected a `kind` beside `tenant` and `client_id`: \"managed\", \
                            \"workload\" or \"client_secret\"");
            }
            (Kind::Managed, None, client_id, _) => IdentityKind::Managed { client_id },
            (Kind::Managed, Some(_), ..) => {
                return Err("expected no `tenant` for a managed identity: it is the node's own");
            }
            (Kind::Workload, tenant, client_id, _) => IdentityKind::Workload { tenant, client_id },
            (Kind::ClientSecret, Some(tenant), Some(client_id), Some(client_secret))
                if !client_secret.reveal().is_empty() =>
            {
                IdentityKind::ClientSecret { tenant, client_id, client_secret }
            }
            (Kind::ClientSecret, ..) => {
                return Err("expected `tenant`, `client_id` and `client_secret` together");
            }
        };
        Ok(Self { kind, authority })
    }
}

/// Ids are GUIDs; a tenant may also go by its domain.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
}

/// What proves who we are, to a service that takes either.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A token of Microsoft Entra.
    Entra(Entra),
    /// A shared access signature.
    SharedAccess(SharedAccess),
}

impl From<Credential> for Proof {
    fn from(credential: Credential) -> Self {
        match credential {
            Credential::Entra(entra) => Self::Entra(entra),
            Credential::SharedAccess(access) => Self::SharedAccess(access),
        }
    }
}

/// A key of a namespace or hub, which signs tokens
/// (<https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedAccess {
    /// Tokens are signed with it.
    Key {
        /// The address that a token is good for: `https://NAMESPACE/HUB`.
        resource: String,
        /// The key's name.
        name: String,
        /// The key.
        key: Secret,
    },
    /// A token somebody else has signed; it ends when it ends.
    Token(Secret),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::sink;

    #[derive(Debug, Deserialize)]
    struct Holder {
        identity: Identity,
    }

    fn identity(lines: &str) -> Result<IdentityKind, String> {
        let holder = sink::<Holder>(&format!("[identity]\n{lines}"));
        holder.map(|holder| holder.identity.kind).map_err(|error| error.message)
    }

    #[test]
    fn an_identity_says_how_it_is_proved() {
        assert!(matches!(identity("").expect("none"), IdentityKind::Environment));
        assert!(matches!(
            identity("kind = \"managed\"\nclient_id = \"a-1\"").expect("managed"),
            IdentityKind::Managed { client_id: Some(id) } if id == "a-1"
        ));
        assert!(matches!(
            identity("kind = \"workload\"").expect("workload"),
            IdentityKind::Workload { tenant: None, client_id: None }
        ));
        assert!(matches!(
            identity("tenant = \"t\"\nclient_id = \"c\"\nclient_secret = \"s\"").expect("secret"),
            IdentityKind::ClientSecret { .. }
        ));
    }

    #[test]
    fn a_half_identity_is_refused_without_its_secret() {
        for lines in [
            "client_secret = \"hunter2\"",
            "tenant = \"t\"",
            "client_id = \"a b\"\nkind = \"managed\"",
            "kind = \"managed\"\ntenant = \"t\"",
            "kind = \"workload\"\nclient_secret = \"hunter2\"",
            "kind = \"cli\"",
            "secret = \"hunter2\"",
            "authority = \"hunter2\"",
            "tenant = \"t\"\nclient_id = \"c\"\nclient_secret = \"\"",
        ] {
            let error = identity(lines).expect_err(lines);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_host_s_name_tells_its_cloud() {
        for (host, cloud) in [
            ("x.eastus-1.ingest.monitor.azure.com", Cloud::Public),
            ("x.usgovvirginia-1.ingest.monitor.azure.us", Cloud::Government),
            ("ns.servicebus.usgovcloudapi.net", Cloud::Government),
            ("NS.servicebus.chinacloudapi.cn.", Cloud::China),
            ("127.0.0.1", Cloud::Public),
        ] {
            assert_eq!(Cloud::of_host(host), cloud, "{host}");
        }
    }
}

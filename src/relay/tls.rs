//! The certificate files, read anew at each connect.
//!
//! Every `helm upgrade` of KubeArmor makes new ones, authority and all, so a certificate that is
//! refused is an outage like any other. TLS here is mutual: the relay takes any client whose
//! certificate its own authority signed.

use std::path::{Path, PathBuf};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{fs, task::spawn_blocking};

use super::ConnectError;
use crate::{
    config::{RelayConfig, RelayTls, TlsMode},
    tls::{Expected, Settings},
};

/// Where KubeArmor's own programs look, and where `kubearmor-client-certs` is best mounted.
const FOLDER: &str = "/var/lib/kubearmor/tls";

/// The files that make a TLS connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TlsFiles {
    ca: PathBuf,
    /// Certificate and key; none where neither was named nor found.
    identity: Option<(PathBuf, PathBuf)>,
    verify_name: bool,
}

impl TlsFiles {
    /// What the configuration names, else what lies in KubeArmor's folder. None means plain text.
    pub(super) async fn find(tls: &RelayTls) -> Result<Option<Self>, ConnectError> {
        Self::find_in(tls, Path::new(FOLDER)).await
    }

    async fn find_in(tls: &RelayTls, folder: &Path) -> Result<Option<Self>, ConnectError> {
        if tls.mode == TlsMode::Off {
            return Ok(None);
        }
        let ca = tls.ca.clone().unwrap_or_else(|| folder.join("ca.crt"));
        if tls.mode == TlsMode::Auto && !any_exists(&ca, tls).await? {
            return Ok(None);
        }
        let identity = match (&tls.cert, &tls.key) {
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (None, None) => identity_in(folder).await?,
            _ => {
                let why = "relay.tls has only one of cert and key; expected both or neither";
                return Err(ConnectError(why.to_owned()));
            }
        };
        Ok(Some(Self { ca, identity, verify_name: tls.verify_name.0 }))
    }

    /// Reads the files.
    pub(super) async fn client_config(self) -> Result<ClientConfig, ConnectError> {
        let read = move || {
            let identity = self.identity.as_ref().map(|(cert, key)| (&**cert, &**key));
            let expected = if self.verify_name { Expected::TheName } else { Expected::AnyName };
            let settings = Settings { ca: Some(&self.ca), identity, expected, protocols: &[b"h2"] };
            crate::tls::client_config(settings)
        };
        let read = spawn_blocking(read).await;
        read.map_err(|_| ConnectError("shutting down".to_owned()))?
            .map_err(|(_, why)| unprepared(&why))
    }

    /// The name to look for: the configured one, else the host of the address.
    pub(super) fn server_name(
        &self,
        config: &RelayConfig,
    ) -> Result<ServerName<'static>, ConnectError> {
        let host = || config.address.rsplit_once(':').map_or(&*config.address, |(host, _)| host);
        let name = config.tls.server_name.as_deref().unwrap_or_else(host);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(name.to_owned()).map_err(|_| {
            ConnectError(format!(
                "reading the relay's name \"{name}\": expected a DNS name or an IP address; set \
                 relay.tls.server_name"
            ))
        })
    }
}

/// The names that KubeArmor's programs and its Kubernetes secrets give the client's files.
async fn identity_in(folder: &Path) -> Result<Option<(PathBuf, PathBuf)>, ConnectError> {
    for name in ["client", "tls"] {
        let pair = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        if exists(&pair.0).await? && exists(&pair.1).await? {
            return Ok(Some(pair));
        }
    }
    Ok(None)
}

/// Whether any of the files meant is there. One that is missing beside others is a mistake to be
/// told, and no reason to go on in plain text.
async fn any_exists(ca: &Path, tls: &RelayTls) -> Result<bool, ConnectError> {
    for path in [Some(ca), tls.cert.as_deref(), tls.key.as_deref()].into_iter().flatten() {
        if exists(path).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn exists(path: &Path) -> Result<bool, ConnectError> {
    let found = fs::try_exists(path).await;
    found.map_err(|error| unprepared(&format!("reading {}: {error}", path.display())))
}

fn unprepared(why: &str) -> ConnectError {
    ConnectError(format!("preparing TLS with the relay: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(mode: TlsMode, files: &[&str]) -> Result<Option<TlsFiles>, ConnectError> {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            std::fs::write(folder.path().join(file), "").expect("a file");
        }
        let tls = RelayTls { mode, ..RelayTls::default() };
        let found = TlsFiles::find_in(&tls, folder.path()).await?;
        let base = |path: PathBuf| path.strip_prefix(folder.path()).expect("inside").to_owned();
        Ok(found.map(|files| TlsFiles {
            ca: base(files.ca),
            identity: files.identity.map(|(cert, key)| (base(cert), base(key))),
            ..files
        }))
    }

    #[tokio::test]
    async fn the_mode_and_the_files_decide() {
        let with = |identity: Option<&str>| {
            let identity =
                identity.map(|name| (format!("{name}.crt").into(), format!("{name}.key").into()));
            Ok(Some(TlsFiles { ca: "ca.crt".into(), identity, verify_name: true }))
        };
        let agent = ["ca.crt", "client.crt", "client.key"];
        let secret = ["ca.crt", "tls.crt", "tls.key"];
        assert_eq!(found(TlsMode::Off, &agent).await, Ok(None));
        assert_eq!(found(TlsMode::Auto, &[]).await, Ok(None));
        assert_eq!(found(TlsMode::Auto, &["tls.crt", "tls.key"]).await, Ok(None));
        assert_eq!(found(TlsMode::Auto, &["ca.crt", "tls.key"]).await, with(None));
        assert_eq!(found(TlsMode::Auto, &agent).await, with(Some("client")));
        assert_eq!(found(TlsMode::Auto, &secret).await, with(Some("tls")));
        assert_eq!(found(TlsMode::On, &[]).await, with(None));
    }

    #[tokio::test]
    async fn a_named_file_missing_beside_others_is_no_plain_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let named = |name: &str| Some(folder.path().join(name));
        let tls = RelayTls {
            ca: named("ca"),
            cert: named("cert"),
            key: named("key"),
            ..Default::default()
        };
        assert_eq!(TlsFiles::find(&tls).await.expect("readable"), None, "none of them is there");
        std::fs::write(folder.path().join("cert"), "").expect("a file");
        let files = TlsFiles::find(&tls).await.expect("readable").expect("TLS");
        let error = files.client_config().await.expect_err("no authority");
        assert!(error.to_string().contains("ca"), "{error}");
    }

    #[tokio::test]
    async fn half_an_identity_is_told() {
        let tls = RelayTls { mode: TlsMode::On, cert: Some("/c".into()), ..RelayTls::default() };
        let error = TlsFiles::find(&tls).await.expect_err("no key");
        assert!(error.to_string().contains("only one of cert and key"), "{error}");
    }

    #[test]
    fn the_name_is_the_host_unless_it_is_given() {
        let files = TlsFiles { ca: PathBuf::new(), identity: None, verify_name: true };
        let name = |address: &str, name: Option<&str>| {
            let server_name = name.map(str::to_owned);
            let tls = RelayTls { server_name, ..RelayTls::default() };
            let config = RelayConfig { address: address.to_owned(), tls };
            files.server_name(&config).map(|name| name.to_str().into_owned())
        };
        assert_eq!(name("kubearmor.ns.svc:32767", None), Ok("kubearmor.ns.svc".to_owned()));
        assert_eq!(name("[::1]:32767", None), Ok("::1".to_owned()));
        assert_eq!(name("10.0.0.1:32767", Some("localhost")), Ok("localhost".to_owned()));
        name("under score!:1", None).expect_err("no name");
    }
}

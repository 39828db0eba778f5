//! Certificate files of an HTTP destination: read when a client is made, watched for changes.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use reqwest::{Certificate, ClientBuilder, Identity};
use sidearm_sinks::contract::Tls;

/// What tells one state of the files from another, without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp([Option<FileStamp>; 3]);

/// Files of secrets change by a renamed folder, so a file may be replaced and as old as before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    pub(super) fn of(tls: &Tls) -> Self {
        let stamp = |path: &Option<PathBuf>| {
            let metadata: Metadata = fs::metadata(path.as_deref()?).ok()?;
            Some(FileStamp {
                inode: metadata.ino(),
                bytes: metadata.len(),
                modified: metadata.modified().ok(),
            })
        };
        Self([stamp(&tls.ca), stamp(&tls.cert), stamp(&tls.key)])
    }
}

/// Whether there is anything that could change.
pub(super) fn has_files(tls: &Tls) -> bool {
    tls.ca.is_some() || tls.cert.is_some() || tls.key.is_some()
}

/// Gives a client its trust and its identity.
///
/// # Errors
/// Names the file that cannot be read or used, and what was expected in it.
pub(super) fn apply(tls: &Tls, mut builder: ClientBuilder) -> Result<ClientBuilder, String> {
    if let Some(path) = &tls.ca {
        let authorities = Certificate::from_pem_bundle(&read(path)?)
            .ok()
            .filter(|authorities| !authorities.is_empty())
            .ok_or_else(|| unusable(path, "one or more certificates"))?;
        builder = builder.tls_certs_only(authorities);
    }
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let mut pem = read(key)?;
            pem.push(b'\n');
            pem.extend(read(cert)?);
            let identity = Identity::from_pem(&pem).map_err(|_| {
                let also = format!("a certificate, and its key in {}", key.display());
                unusable(cert, &also)
            })?;
            builder = builder.identity(identity);
        }
        (None, None) => {}
        _ => return Err("tls.cert and tls.key go together, and only one of them is set".to_owned()),
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.insecure))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("reading {}: {error}", path.display()))
}

fn unusable(path: &Path, expected: &str) -> String {
    format!("reading {}: expected {expected}, in PEM", path.display())
}

//! Bad certificates, and certificate files that change while it runs.

use std::{fs, path::PathBuf};

use sidearm::wire::{HttpWire, Wire as _, WireError};
use sidearm_sinks::contract::{HttpConnection, Tls};
use tempfile::TempDir;

use super::{
    LONG, SHORT, answer, attempt,
    authority::{Authority, Leaf, server},
    request,
    server::{Manner, Server},
};

fn ok() -> Manner {
    answer("200 OK\ncontent-length: 0", "")
}

fn connection(tls: Tls) -> HttpConnection {
    HttpConnection { tls, timeout: LONG, ..HttpConnection::default() }
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        // Renamed into place, as a cluster changes its secrets.
        let new = self.0.path().join("new");
        fs::write(&new, text).expect("a file");
        fs::rename(new, &path).expect("a file");
        path
    }

    fn client(&self, authority: &Authority, leaf: &Leaf) -> Tls {
        Tls {
            ca: Some(self.put("ca.pem", &authority.pem)),
            cert: Some(self.put("cert.pem", &leaf.cert)),
            key: Some(self.put("key.pem", &leaf.key)),
            ..Tls::default()
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_sends_nothing() {
    let (authority, files) = (Authority::new(), Files::new());
    let good = Server::start_tls(ok(), server(&authority.issue("localhost"))).await;
    let misnamed = Server::start_tls(ok(), server(&authority.issue("other.example"))).await;
    let ca = files.put("ca.pem", &authority.pem);
    let trusting = connection(Tls { ca: Some(ca), ..Tls::default() });

    let unknown = attempt(&good.url, &connection(Tls::default())).await;
    assert!(matches!(unknown, Err(WireError::NotSent(_))), "{unknown:?}");
    let other_name = attempt(&misnamed.url, &trusting).await;
    assert!(matches!(other_name, Err(WireError::NotSent(_))), "{other_name:?}");
    assert_eq!(good.seen().len() + misnamed.seen().len(), 0);

    attempt(&good.url, &trusting).await.expect("a trusted authority");
    let named = Tls { server_name: Some("other.example".to_owned()), ..trusting.tls.clone() };
    attempt(&misnamed.url, &connection(named.clone())).await.expect("the name that was asked for");
    let wrong = attempt(&good.url, &connection(named)).await;
    assert!(matches!(wrong, Err(WireError::NotSent(_))), "{wrong:?}");
    let insecure = connection(Tls { insecure: true, ..Tls::default() });
    attempt(&misnamed.url, &insecure).await.expect("any certificate will do");
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_is_sent_nothing() {
    let plain = Server::start(Manner::Silent).await;
    let url = plain.url.replace("http:", "https:");
    let error = attempt(&url, &HttpConnection { timeout: SHORT, ..Default::default() }).await;
    assert!(matches!(error, Err(WireError::NotSent(_))), "{error:?}");
}

#[tokio::test]
async fn files_that_change_are_read_again() {
    let (authority, files) = (Authority::new(), Files::new());
    let strict = authority.strict_server(&authority.issue("localhost"));
    let server = Server::start_tls(ok(), strict).await;
    let stranger = Authority::new().issue("client");
    let tls = files.client(&authority, &stranger);
    let wire = HttpWire::new(&connection(tls)).expect("a connection");

    let refused = wire.call(request(&server.url)).await;
    assert!(refused.is_err(), "a stranger's certificate was taken: {refused:?}");

    // Half a change: the old client goes on.
    let known = authority.issue("client");
    files.put("key.pem", &known.key);
    assert!(wire.call(request(&server.url)).await.is_err());

    files.put("cert.pem", &known.cert);
    let taken = wire.call(request(&server.url)).await.expect("our own certificate");
    assert_eq!(taken.status, 200);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn unusable_files_are_named() {
    let (authority, files) = (Authority::new(), Files::new());
    let tls = || files.client(&authority, &authority.issue("client"));
    let missing = files.0.path().join("missing.pem");
    let words = files.put("words.pem", "not a certificate");
    for (tls, name) in [
        (Tls { ca: Some(missing.clone()), ..tls() }, "missing.pem"),
        (Tls { ca: Some(words.clone()), ..tls() }, "words.pem"),
        (Tls { cert: Some(words.clone()), ..tls() }, "words.pem"),
        (Tls { key: Some(missing), ..tls() }, "missing.pem"),
        (Tls { key: None, ..tls() }, "tls.key"),
    ] {
        match HttpWire::new(&connection(tls)) {
            Err(WireError::Unusable(why)) => assert!(why.contains(name), "{why}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

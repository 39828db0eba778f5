//! TLS with the relay: mutual, with certificates that change, lack names, or are not ours.

use std::fs;

use sidearm::config::{RelayTls, TlsMode, VerifyName};
use sidearm_sinks::contract::Stream;

use super::{
    certificates::{Authority, Leaf},
    station::{Station, Watching, eventually},
};

const ALERT: Stream = Stream::Alert;
const NAME: &str = "kubearmor.kubearmor.svc";

/// A relay with a certificate for `names`, and its client's files in place.
async fn station(names: &[&str]) -> (Station, Authority) {
    let authority = Authority::new();
    let station = Station::new(Some(authority.server(&authority.issue(names)))).await;
    write(&station, &authority, &authority.issue(&[]));
    (station, authority)
}

fn write(station: &Station, authority: &Authority, client: &Leaf) {
    for (name, pem) in [("ca", &authority.pem), ("cert", &client.cert), ("key", &client.key)] {
        fs::write(station.file(name), pem).expect("a file");
    }
}

fn settings(station: &Station, mode: TlsMode) -> RelayTls {
    RelayTls {
        mode,
        ca: Some(station.file("ca")),
        cert: Some(station.file("cert")),
        key: Some(station.file("key")),
        server_name: Some(NAME.to_owned()),
        verify_name: VerifyName(true),
    }
}

async fn connects(station: &Station, tls: RelayTls) -> Watching {
    let watch = station.watch_with(ALERT, None, tls);
    eventually("connected", async || watch.status.connected(ALERT)).await;
    station.deliver(ALERT, b"an alert").await;
    watch
}

async fn refuses(station: &Station, tls: RelayTls, why: &str) {
    let watch = station.watch_with(ALERT, None, tls);
    eventually("told", async || watch.status.last_error().is_some()).await;
    let error = watch.status.last_error().expect("it was told");
    assert!(error.contains(why), "{error}");
    assert!(!watch.status.connected(ALERT));
}

#[tokio::test]
async fn mutual_tls_with_keys_in_pkcs1() {
    let (station, _authority) = station(&[NAME]).await;
    let key = fs::read_to_string(station.file("key")).expect("a key");
    assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    connects(&station, settings(&station, TlsMode::On)).await;
}

#[tokio::test]
async fn auto_follows_the_files() {
    let (mut station, _authority) = station(&[NAME]).await;
    let watch = connects(&station, settings(&station, TlsMode::Auto)).await;
    station.stop_relay().await;
    eventually("disconnected", async || !watch.status.connected(ALERT)).await;
    // The next connect finds none of the files, and a relay without TLS.
    for file in ["ca", "cert", "key"] {
        fs::remove_file(station.file(file)).expect("it was there");
    }
    station.set_tls(None);
    station.start_relay().await;
    eventually("connected", async || watch.status.connected(ALERT)).await;
}

#[tokio::test]
async fn changed_certificates_are_read_at_the_next_connect() {
    let (mut station, _authority) = station(&[NAME]).await;
    let watch = connects(&station, settings(&station, TlsMode::On)).await;
    station.stop_relay().await;
    let another = Authority::new();
    station.set_tls(Some(another.server(&another.issue(&[NAME]))));
    station.start_relay().await;
    eventually("refused", async || {
        watch.status.last_error().is_some_and(|error| error.contains("invalid peer certificate"))
    })
    .await;
    write(&station, &another, &another.issue(&[]));
    eventually("connected", async || watch.status.connected(ALERT)).await;
    station.deliver(ALERT, b"after").await;
}

#[tokio::test]
async fn a_wrong_name_is_refused() {
    let (station, _authority) = station(&["elsewhere.svc"]).await;
    refuses(&station, settings(&station, TlsMode::On), "not valid for name").await;
}

#[tokio::test]
async fn a_certificate_without_names_needs_the_name_not_to_be_checked() {
    let (station, _authority) = station(&[]).await;
    refuses(&station, settings(&station, TlsMode::On), "not valid for").await;
    let unchecked = VerifyName(false);
    let tls = RelayTls { verify_name: unchecked, ..settings(&station, TlsMode::On) };
    connects(&station, tls).await;
}

#[tokio::test]
async fn an_unchecked_name_leaves_the_chain_checked() {
    let (station, authority) = station(&[]).await;
    write(&station, &Authority::new(), &authority.issue(&[]));
    let unchecked = VerifyName(false);
    let tls = RelayTls { verify_name: unchecked, ..settings(&station, TlsMode::On) };
    refuses(&station, tls, "invalid peer certificate").await;
}

#[tokio::test]
async fn plain_text_against_tls_is_told_and_tried_again() {
    let (mut station, _authority) = station(&[NAME]).await;
    let watch = station.watch_with(ALERT, None, settings(&station, TlsMode::Off));
    eventually("told", async || watch.status.last_error().is_some()).await;
    assert!(!watch.status.connected(ALERT));
    station.stop_relay().await;
    station.set_tls(None);
    station.start_relay().await;
    eventually("connected", async || watch.status.connected(ALERT)).await;
    assert_eq!(watch.status.gaps(), 0);
}

#[tokio::test]
async fn a_relay_that_wants_another_client_certificate_is_told() {
    let (station, authority) = station(&[NAME]).await;
    let stranger = Authority::new();
    write(&station, &authority, &stranger.issue(&[]));
    refuses(&station, settings(&station, TlsMode::On), "received fatal alert").await;
    // No certificate at all: the handshake looks fine, the first read fails.
    let tls = RelayTls { cert: None, key: None, ..settings(&station, TlsMode::On) };
    refuses(&station, tls, "received fatal alert: CertificateRequired").await;
}

#[tokio::test]
async fn unreadable_files_are_told_by_name() {
    let (station, _authority) = station(&[NAME]).await;
    fs::write(station.file("key"), "no key").expect("a file");
    refuses(&station, settings(&station, TlsMode::On), "/key: expected a private key, in PEM")
        .await;
    fs::write(station.file("ca"), "no certificate").expect("a file");
    refuses(
        &station,
        settings(&station, TlsMode::On),
        "/ca: expected one or more certificates, in PEM",
    )
    .await;
    fs::remove_file(station.file("ca")).expect("it was there");
    refuses(&station, settings(&station, TlsMode::On), "/ca: No such file").await;
}

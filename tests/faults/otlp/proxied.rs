//! The real program towards a collector that only a proxy of its environment reaches.

use std::fs;

use super::collector::Collector;
use crate::{
    doubles::proxy::{PASSWORD, Proxy, USER},
    http::authority::{self, Authority},
    program::{away, send_test},
};

/// A name that only the proxy knows.
const NAME: &str = "collector.invalid";

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_behind_a_proxy_is_reached_by_a_tunnel() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::new();
    let (address, _serving) = collector.by_grpc();
    let proxy = Proxy::start(address, None).await;
    let by = format!("http://{USER}:{PASSWORD}@{}", proxy.address);
    let table = format!("otlp.url = \"http://{NAME}:4317\"");
    for (variable, taken) in [("HTTP_PROXY", 1), ("ALL_PROXY", 2)] {
        let mut variables = vec![(variable, by.clone())];
        if variable != "HTTP_PROXY" {
            variables.push(("HTTP_PROXY", String::new()));
        }
        let (accepted, told) = send_test(folder.path(), &table, &variables);
        assert!(accepted, "{told}");
        assert_eq!(collector.taken().len(), taken);
    }
    assert_eq!(proxy.asked(), [(); 2].map(|()| format!("CONNECT {NAME}:4317 HTTP/1.1")));
    // This machine itself, and what is told to go without, is not asked of it.
    let here = format!("otlp.url = \"http://{address}\"");
    let (accepted, told) = send_test(folder.path(), &here, &vec![("HTTP_PROXY", by.clone())]);
    assert!(accepted, "{told}");
    let variables = vec![("HTTP_PROXY", by), ("NO_PROXY", format!("other.invalid,{NAME}"))];
    let (accepted, told) = send_test(folder.path(), &table, &variables);
    assert!(!accepted && told.contains("nothing was sent"), "{told}");
    assert_eq!((proxy.asked().len(), collector.taken().len()), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_the_collector_and_not_with_its_proxy() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new();
    let file = folder.path().join("ca.pem");
    fs::write(&file, &ca.pem).expect("written");
    let collector = Collector::new();
    let (address, _serving) = collector.by_grpc();
    let table = format!(
        "otlp.url = \"https://{NAME}\"\notlp.tls.ca = \"{}\"\notlp.timeout = \"20s\"",
        file.display()
    );
    for (name, taken) in [(NAME, true), ("another.invalid", false)] {
        let mut config = (*authority::server(&ca.issue(name))).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let proxy = Proxy::start(address, Some(config.into())).await;
        let by = format!("http://{USER}:{PASSWORD}@{}", proxy.address);
        let (accepted, told) = send_test(folder.path(), &table, &vec![("https_proxy", by)]);
        assert_eq!(accepted, taken, "{told}");
        assert_eq!(proxy.asked(), [format!("CONNECT {NAME}:443 HTTP/1.1")]);
        assert_eq!(collector.taken().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_or_is_away_is_told_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::new();
    let (address, _serving) = collector.by_grpc();
    let proxy = Proxy::start(address, None).await;
    let gone = away().await;
    let table = format!("otlp.url = \"http://{NAME}:4317\"");
    for (by, sentences) in [
        (
            format!("http://{USER}:hunter2-of-another@{}", proxy.address),
            [format!("the proxy http://{}", proxy.address), "HTTP 407".to_owned()],
        ),
        (gone.clone(), [format!("connecting to the proxy {gone}"), "nothing was sent".to_owned()]),
        (
            "http://x:hunter2@:a:".to_owned(),
            ["HTTP_PROXY".to_owned(), "expected the address of an HTTP proxy".to_owned()],
        ),
    ] {
        let (accepted, told) = send_test(folder.path(), &table, &vec![("HTTP_PROXY", by)]);
        assert!(!accepted, "{told}");
        for sentence in sentences {
            assert!(told.contains(&sentence), "{sentence}: {told}");
        }
    }
    assert_eq!(collector.taken().len(), 0);
}

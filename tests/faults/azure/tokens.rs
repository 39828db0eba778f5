//! Tokens of Microsoft Entra: fetched once, renewed ahead, and a refused identity told from a token
//! server in trouble.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use sidearm::wire::{HttpWire, Wire as _, WireError};
use sidearm_sinks::contract::{
    Cloud, Encoding, Entra, HttpConnection, HttpReply, HttpRequest, Identity, IdentityKind, Proof,
    Secret, SecretUrl,
};

use crate::doubles::azure::{Azure, RULE, SECRET, Trouble};

fn wire(azure: &Azure, kind: IdentityKind) -> HttpWire {
    let authority = SecretUrl::parse(&format!("http://{}", azure.address)).expect("an address");
    let entra = Entra {
        scope: "https://monitor.azure.com/.default".to_owned(),
        identity: Identity { kind, authority: Some(authority) },
        cloud: Cloud::Public,
    };
    let timeout = Duration::from_secs(30);
    let connection =
        HttpConnection { timeout, proof: Some(Proof::Entra(entra)), ..HttpConnection::default() };
    HttpWire::new(&connection).expect("a connection")
}

fn application(secret: &str) -> IdentityKind {
    IdentityKind::ClientSecret {
        tenant: "tenant-1".to_owned(),
        client_id: "client-1".to_owned(),
        client_secret: Secret::new(secret),
    }
}

async fn call(azure: &Azure, wire: &HttpWire) -> Result<HttpReply, WireError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let url = format!(
        "http://{}/dataCollectionRules/{RULE}/streams/Custom-KubeArmorAlerts?api-version=2023-01-01",
        azure.address
    );
    let body = r#"[{"TimeGenerated":"2026-01-01T00:00:00Z","EventId":"1"}]"#;
    let answer = wire.call(HttpRequest {
        method: Method::POST,
        shown_url: url.clone(),
        url,
        headers,
        body: Bytes::from_static(body.as_bytes()),
        encoding: Encoding::FASTEST_GZIP,
        message_id: String::new(),
    });
    let answer = answer.await;
    if let Err(error) = &answer {
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    answer
}

#[tokio::test]
async fn a_token_is_fetched_once_and_sent_with_each_request() {
    let azure = Azure::start().await;
    for kind in
        [application(SECRET), IdentityKind::Managed { client_id: Some("client-1".to_owned()) }]
    {
        let before = azure.tokens();
        let wire = wire(&azure, kind);
        for _ in 0..3 {
            let reply = call(&azure, &wire).await.expect("an answer");
            assert_eq!(reply.status, 204, "{}", reply.summary());
        }
        assert_eq!(azure.tokens(), before + 1);
    }
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed_and_serves_on_where_that_fails() {
    let azure = Azure::start().await;
    // Ends in less than the five minutes that are kept in hand.
    azure.trouble(Trouble { token_seconds: Some(200), ..Trouble::default() });
    let wire = wire(&azure, application(SECRET));
    for _ in 0..2 {
        assert_eq!(call(&azure, &wire).await.expect("an answer").status, 204);
    }
    assert_eq!(azure.tokens(), 2, "renewed ahead");
    azure.trouble(Trouble { token: Some((503, "{}")), ..Trouble::default() });
    assert_eq!(call(&azure, &wire).await.expect("the old one holds").status, 204);
    assert_eq!(azure.tokens(), 2);
}

#[tokio::test]
async fn a_refused_identity_parks_and_a_server_in_trouble_is_waited_for() {
    let azure = Azure::start().await;
    let error = call(&azure, &wire(&azure, application("hunter2-of-another"))).await;
    match error {
        Err(WireError::Unusable(why)) => assert!(why.contains("AADSTS7000215"), "{why}"),
        other => panic!("{other:?}"),
    }
    for (status, body) in [
        (503, "{}"),
        (429, "{}"),
        (502, "<html>Bad Gateway</html>"),
        (400, r#"{"error":"temporarily_unavailable"}"#),
    ] {
        azure.trouble(Trouble { token: Some((status, body)), ..Trouble::default() });
        let wire = wire(&azure, application(SECRET));
        let error = call(&azure, &wire).await;
        assert!(matches!(error, Err(WireError::NotSent(_))), "{status}: {error:?}");
        azure.trouble(Trouble::default());
        assert_eq!(call(&azure, &wire).await.expect("it recovers").status, 204);
    }
    let nobody = IdentityKind::Managed { client_id: Some("client-2".to_owned()) };
    let error = call(&azure, &wire(&azure, nobody)).await;
    assert!(matches!(error, Err(WireError::Unusable(_))), "{error:?}");
}

#[tokio::test]
async fn a_workload_without_its_token_file_parks() {
    let azure = Azure::start().await;
    let kind = IdentityKind::Workload {
        tenant: Some("tenant-1".to_owned()),
        client_id: Some("client-1".to_owned()),
    };
    let error = call(&azure, &wire(&azure, kind)).await;
    match error {
        Err(WireError::Unusable(why)) => assert!(why.contains("token file"), "{why}"),
        other => panic!("{other:?}"),
    }
}

//! The real program towards Event Hubs' Kafka endpoint by an identity of Entra: a token comes first,
//! and a refused identity is told as such whether a broker is there or not.

use crate::{
    doubles::azure::{Azure, SECRET},
    program::{away, send_test},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_entra_comes_before_the_first_broker() {
    let folder = tempfile::tempdir().expect("a folder");
    let azure = Azure::start().await;
    let broker = away().await.replace("http://", "");
    let table = |secret: &str| {
        format!(
            "event_hubs.protocol = \"kafka\"\nevent_hubs.namespace = \"{broker}\"\n\
             event_hubs.hub = \"kubearmor\"\nevent_hubs.timeout = \"10s\"\n\
             event_hubs.identity.tenant = \"tenant-1\"\n\
             event_hubs.identity.client_id = \"client-1\"\n\
             event_hubs.identity.client_secret = \"{secret}\"\n\
             event_hubs.identity.authority = \"http://{}\"",
            azure.address
        )
    };
    let (accepted, told) = send_test(folder.path(), &table("hunter2-of-another"), &vec![]);
    assert!(!accepted && told.contains("AADSTS7000215"), "{told}");
    assert_eq!(azure.tokens(), 0);
    let (accepted, told) = send_test(folder.path(), &table(SECRET), &vec![]);
    assert!(!accepted && told.contains("nothing was sent"), "{told}");
    assert!(told.contains(&broker), "{told}");
    assert_eq!(azure.tokens(), 1);
}

//! The real program towards a hub that only a proxy of its environment reaches, in a WebSocket.

use crate::{
    doubles::{
        azure::KEY,
        event_hubs::Hub,
        proxy::{PASSWORD, Proxy, USER},
    },
    program::send_test,
};

/// A name that only the proxy knows.
const NAME: &str = "ns.servicebus.invalid";

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_behind_a_proxy_is_reached_in_a_websocket_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = Hub::start(1_000_000).await;
    let (address, _serving) = hub.by_websocket().await;
    let proxy = Proxy::before_one_that_waits(address).await;
    let by = vec![("HTTP_PROXY", format!("http://{USER}:{PASSWORD}@{}", proxy.address))];
    let table = |websocket| {
        format!(
            "event_hubs.endpoint = \"amqp://{NAME}\"\nevent_hubs.websocket = {websocket}\n\
             event_hubs.connection_string = \"Endpoint=sb://ns.servicebus.windows.net/;\
             SharedAccessKeyName=send;SharedAccessKey={KEY};EntityPath=kubearmor\""
        )
    };
    let (accepted, told) = send_test(folder.path(), &table(true), &by);
    assert!(accepted, "{told}");
    assert_eq!(hub.taken().len(), 1);
    assert_eq!(proxy.asked(), [format!("CONNECT {NAME}:80 HTTP/1.1")]);
    let (accepted, told) = send_test(folder.path(), &table(false), &by);
    assert!(!accepted && told.contains("nothing was sent"), "{told}");
    assert_eq!(proxy.asked().len(), 1, "bare AMQP asks no proxy");
}

//! The proxies that the environment names, for every destination but this machine itself.
//!
//! `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not. A proxy cannot
//! reach what listens on our loopback or is our link's own (a cloud's metadata), yet the clients'
//! own reading would send it there.

use reqwest::{ClientBuilder, NoProxy, Proxy};

const HERE: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10,fd00:ec2::/32";

/// Gives a client the proxies of an environment; `variable` looks one up.
///
/// # Errors
/// Names the variable that is not an address. Its value may hold a password and is not shown.
pub(super) fn apply(
    mut builder: ClientBuilder,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<ClientBuilder, String> {
    let either = |name: &str| {
        let value = variable(name).or_else(|| variable(&name.to_lowercase()));
        value.filter(|value| !value.is_empty())
    };
    let without = match either("NO_PROXY") {
        Some(more) => format!("{HERE},{more}"),
        None => HERE.to_owned(),
    };
    // Ours alone, even where there are none.
    builder = builder.no_proxy();
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        let Some(address) = either(name) else { continue };
        let proxy = match name {
            "HTTP_PROXY" => Proxy::http(address),
            "HTTPS_PROXY" => Proxy::https(address),
            _ => Proxy::all(address),
        };
        let proxy = proxy.map_err(|_| {
            format!("reading the variable {name}: expected the address of an HTTP proxy")
        })?;
        builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&without)));
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Answers every request with its own first line; its address.
    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..read]).into_owned();
                let line = text.lines().next().unwrap_or_default();
                let reply = format!("HTTP/1.0 200 OK\r\n\r\n{line}");
                stream.write_all(reply.as_bytes()).await.expect("a caller that waits");
            }
        });
        address
    }

    #[tokio::test]
    async fn all_but_this_machine_is_reached_by_the_proxy() {
        let (proxy, here) = (echo().await, echo().await);
        let variable = |name: &str| match name {
            "http_proxy" => Some(proxy.clone()),
            "NO_PROXY" => Some("direct.invalid".to_owned()),
            _ => None,
        };
        let client = apply(ClientBuilder::new(), variable).expect("a proxy").build();
        let client = client.expect("a client");
        let get = async |url: &str| client.get(url).send().await?.text().await;
        assert_eq!(get(&format!("{here}/x")).await.expect("direct"), "GET /x HTTP/1.1");
        let by_proxy = get("http://siem.invalid/x").await.expect("by the proxy");
        assert_eq!(by_proxy, "GET http://siem.invalid/x HTTP/1.1");
        assert!(get("http://direct.invalid/x").await.is_err());
    }

    #[test]
    fn a_proxy_that_is_none_is_told_by_its_variable() {
        let variable =
            |name: &str| (name == "ALL_PROXY").then(|| "http://x:hunter2@:a:".to_owned());
        let error = apply(ClientBuilder::new(), variable).map(drop).expect_err("no address");
        assert!(error.contains("ALL_PROXY") && !error.contains("hunter2"), "{error}");
    }
}

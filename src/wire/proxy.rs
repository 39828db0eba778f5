//! The proxies that the environment names, for every destination but this machine itself.
//!
//! `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not: the first two for
//! addresses of `http://` and `https://`, the third for those that are left. A proxy cannot
//! reach what listens on our loopback or is our link's own (a cloud's metadata), yet the clients'
//! own reading would send it there.

pub(super) mod tunnel;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};

const HERE: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10,fd00:ec2::/32";

/// What an environment says of proxies.
struct Named {
    /// Variable and address of each that is set.
    addresses: Vec<(&'static str, String)>,
    /// Whom none of them is for.
    without: String,
}

impl Named {
    /// `variable` looks one up.
    fn by(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let value = variable(name).or_else(|| variable(&name.to_lowercase()));
            value.filter(|value| !value.is_empty())
        };
        let without = match either("NO_PROXY") {
            Some(more) => format!("{HERE},{more}"),
            None => HERE.to_owned(),
        };
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
        let addresses = names.into_iter().filter_map(|name| Some((name, either(name)?))).collect();
        Self { addresses, without }
    }

    fn proxies(&self) -> Result<Vec<Proxy>, String> {
        let proxy = |(name, address): &(&str, String)| {
            // The clients' own reading takes any scheme, and fails with each request.
            let scheme = address.split_once("://").map_or("http", |(scheme, _)| scheme);
            if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
                return Err(format!(
                    "reading the variable {name}: expected the address of an HTTP proxy, found \
                     one of {scheme}://"
                ));
            }
            let proxy = match *name {
                "HTTP_PROXY" => Proxy::http(address),
                "HTTPS_PROXY" => Proxy::https(address),
                _ => Proxy::all(address),
            };
            let proxy = proxy.map_err(|_| {
                format!("reading the variable {name}: expected the address of an HTTP proxy")
            })?;
            Ok(proxy.no_proxy(NoProxy::from_string(&self.without)))
        };
        self.addresses.iter().map(proxy).collect()
    }
}

/// Gives a client the proxies of an environment; `variable` looks one up.
///
/// # Errors
/// Names the variable that is not an address. Its value may hold a password and is not shown.
pub(super) fn apply(
    builder: ClientBuilder,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<ClientBuilder, String> {
    let proxies = Named::by(variable).proxies()?;
    // Ours alone, even where there are none.
    Ok(proxies.into_iter().fold(builder.no_proxy(), ClientBuilder::proxy))
}

/// Which proxy an address is reached by, for what is no HTTP client: the same as [`apply`] gives
/// one. `variable` looks a variable up.
///
/// # Errors
/// As those of [`apply`].
fn matcher(variable: impl Fn(&str) -> Option<String>) -> Result<Matcher, String> {
    let named = Named::by(variable);
    // What is no address is passed over below, without a word.
    named.proxies()?;
    let mut builder = Matcher::builder().no(named.without);
    for (name, address) in named.addresses {
        builder = match name {
            "HTTP_PROXY" => builder.http(address),
            "HTTPS_PROXY" => builder.https(address),
            _ => builder.all(address),
        };
    }
    Ok(builder.build())
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
    fn each_scheme_has_its_proxy_and_this_machine_and_its_link_have_none() {
        let variable = |name: &str| match name {
            "HTTP_PROXY" => Some("http://plain.invalid:3128".to_owned()),
            "ALL_PROXY" => Some("http://user:hunter2@all.invalid:3128".to_owned()),
            "no_proxy" => Some(".inside.example, 10.0.0.0/8".to_owned()),
            _ => None,
        };
        let matcher = matcher(variable).expect("proxies");
        let by = |url: &str| {
            let proxy = matcher.intercept(&url.parse().expect("an address"));
            proxy.map(|proxy| (proxy.uri().to_string(), proxy.basic_auth().is_some()))
        };
        let all = Some(("http://all.invalid:3128/".to_owned(), true));
        assert_eq!(by("https://collector.example:4317"), all);
        let plain = Some(("http://plain.invalid:3128/".to_owned(), false));
        assert_eq!(by("http://collector.example:4317"), plain);
        for url in [
            "http://localhost:4317",
            "http://127.0.0.8",
            "http://[::1]:4317",
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://[fd00:ec2::254]/latest/api/token",
            "http://[fe80::1]",
            "https://collector.inside.example",
            "https://10.1.2.3",
        ] {
            assert_eq!(by(url), None, "{url}");
        }
    }

    #[test]
    fn a_proxy_that_is_none_is_told_by_its_variable() {
        for (address, found) in [
            ("http://x:hunter2@:a:", "expected the address of an HTTP proxy"),
            ("socks5://x:hunter2@proxy:1080", "found one of socks5://"),
        ] {
            let variable = |name: &str| (name == "ALL_PROXY").then(|| address.to_owned());
            let error = apply(ClientBuilder::new(), variable).expect_err("no address");
            assert!(error.contains("ALL_PROXY") && error.contains(found), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
            matcher(variable).expect_err("no address here either");
        }
    }
}

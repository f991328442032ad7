//! May this request change something?
//!
//! Nobody logs in at a page of a cluster, so a browser inside of the network could be made to act for a page from outside of it.
//! There are two ways, and each has its answer:
//!
//! - The foreign page sends a form here. Browsers say the origin of the page with each request that is no GET: it must be this
//!   server.
//! - The foreign page is at a name that first led to its own server and then leads here (DNS rebinding), so that it has the origin
//!   of this server in the browser's eyes. The name that was asked for must therefore be one that this server is known by, or an
//!   address, as whoever owns a name can let it lead anywhere and cannot do that with an address.
//!
//! A client that is no browser says no origin, and is no danger of this kind.

use axum::http::{HeaderMap, Method, header};

/// Whose requests may change something, beside those that come from this server's own pages.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// The names that this server is known by, without ports.
    names: Vec<String>,
    /// Others, as a browser says them: `https://proxy.example.com`.
    trusted: Vec<String>,
}

/// The request comes from somewhere else.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ForeignOrigin {
    /// It says no name, or no single one.
    #[error("the request does not say which host it is for")]
    NoHost,
    /// The name is none of those that lead here.
    #[error(
        "this server is not known by the name that it was asked by: use its address, or the name that it was started with; behind a \
         proxy, name the proxy's origin in spark.ui.trustedOrigins"
    )]
    Name,
    /// A page of another server has sent it.
    #[error(
        "the request was sent by a page of another server: behind a proxy, name the proxy's origin in spark.ui.trustedOrigins"
    )]
    Origin,
}

impl Origins {
    /// A server that is known by these names, and trusts these origins: `https://proxy.example.com`.
    pub fn new(names: impl IntoIterator<Item = String>, trusted: impl IntoIterator<Item = String>) -> Self {
        let lower = |text: String| text.trim().trim_end_matches('/').to_ascii_lowercase();
        let not_empty = |text: &String| !text.is_empty();
        Self {
            names: names.into_iter().map(lower).filter(not_empty).collect(),
            trusted: trusted.into_iter().map(lower).filter(not_empty).collect(),
        }
    }

    /// Does a request that wants to change something come from where it may?
    pub fn check(&self, method: &Method, headers: &HeaderMap, https: bool) -> Result<(), ForeignOrigin> {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let origin = single(headers, header::ORIGIN)?;
        if origin.as_ref().is_some_and(|origin| self.trusted.contains(origin)) {
            return Ok(());
        }
        let host = single(headers, header::HOST)?.ok_or(ForeignOrigin::NoHost)?;
        if !self.is_own(&host) {
            return Err(ForeignOrigin::Name);
        }
        match origin {
            Some(origin) => {
                let scheme = if https { "https" } else { "http" };
                if origin == format!("{scheme}://{host}") { Ok(()) } else { Err(ForeignOrigin::Origin) }
            }
            // A browser that does not say the origin says at least whether it is another one.
            None => match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
                None | Some(b"same-origin" | b"none") => Ok(()),
                Some(_) => Err(ForeignOrigin::Origin),
            },
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let name = without_port(host);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || bare.parse::<std::net::IpAddr>().is_ok() || self.names.iter().any(|known| known == name)
    }
}

/// The value of a field in lower case; an error if it is there more than once or is no text.
fn single(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<String>, ForeignOrigin> {
    let mut values = headers.get_all(&name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ForeignOrigin::NoHost);
    }
    value.to_str().map(|text| Some(text.to_ascii_lowercase())).map_err(|_| ForeignOrigin::NoHost)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[(&str, &str)]) -> Result<(), ForeignOrigin> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(header::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let origins = Origins::new(["Master.example".to_owned()], ["https://proxy.example/".to_owned()]);
        assert_eq!(origins.check(&Method::GET, &headers, false), Ok(()));
        origins.check(&Method::POST, &headers, false)
    }

    #[test]
    fn only_the_pages_of_this_server_may_change_something() {
        let host = ("host", "master.example:8080");
        assert_eq!(check(&[host]), Ok(()));
        assert_eq!(check(&[host, ("origin", "http://MASTER.example:8080")]), Ok(()));
        assert_eq!(check(&[host, ("sec-fetch-site", "same-origin")]), Ok(()));
        let foreign = ["http://evil.example", "null", "http://master.example:8081", "https://master.example:8080"];
        for origin in foreign {
            assert_eq!(check(&[host, ("origin", origin)]), Err(ForeignOrigin::Origin), "{origin}");
        }
        assert_eq!(check(&[host, ("sec-fetch-site", "cross-site")]), Err(ForeignOrigin::Origin));
        assert_eq!(check(&[host, ("sec-fetch-site", "same-site")]), Err(ForeignOrigin::Origin));
    }

    #[test]
    fn a_name_that_may_lead_anywhere_is_not_this_servers() {
        let asked = |host: &str| check(&[("host", host), ("origin", &format!("http://{host}"))]);
        for own in ["127.0.0.1:8080", "[::1]:8080", "[::1]", "10.0.0.7", "localhost:1", "master.example"] {
            assert_eq!(asked(own), Ok(()), "{own}");
        }
        for other in ["evil.example:8080", "master.example.evil.example", "127.0.0.1.evil.example:80", "x:y", ""] {
            assert_eq!(asked(other), Err(ForeignOrigin::Name), "{other}");
        }
        assert_eq!(check(&[]), Err(ForeignOrigin::NoHost));
        assert_eq!(check(&[("host", "10.0.0.1"), ("host", "10.0.0.2")]), Err(ForeignOrigin::NoHost));
    }

    #[test]
    fn behind_a_proxy_its_origin_is_trusted_by_name() {
        assert_eq!(check(&[("host", "whatever"), ("origin", "https://proxy.example")]), Ok(()));
        assert_eq!(check(&[("host", "whatever"), ("origin", "http://proxy.example")]), Err(ForeignOrigin::Name));
    }
}

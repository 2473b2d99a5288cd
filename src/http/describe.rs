//! What a span tells of a request.

use std::borrow::Cow;

use http::{HeaderMap, Request, Uri, header};

use crate::telemetry::RequestInfo;

/// Says of one request which template its path follows, such as `/users/{id}`: put it into the request's extensions.
/// Spans are then named by it, and can be counted by it; a path alone is another one with every id.
///
/// ```
/// use seawall::http::UrlTemplate;
///
/// let request = http::Request::get("http://inventory/api/42").extension(UrlTemplate::new("/api/{id}")).body(())?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UrlTemplate(pub Cow<'static, str>);

impl UrlTemplate {
    /// A template.
    #[must_use]
    pub fn new(template: impl Into<Cow<'static, str>>) -> Self {
        Self(template.into())
    }
}

/// The parts of a URL that a span tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) scheme: Option<&'a str>,
    /// Is there a name or a password? They are never told.
    pub(crate) has_credentials: bool,
    pub(crate) host: Option<&'a str>,
    /// Only if it stands in the URL.
    pub(crate) port: Option<u16>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

impl<'a> Target<'a> {
    fn of(uri: &'a Uri) -> Self {
        Self {
            scheme: uri.scheme_str(),
            has_credentials: uri.authority().is_some_and(|it| it.as_str().contains('@')),
            host: uri.host(),
            port: uri.port_u16(),
            path: uri.path(),
            query: uri.query(),
        }
    }

    fn port_or_default(&self) -> Option<u16> {
        self.port.or_else(|| match self.scheme? {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        })
    }

    /// With what may be secret left out. A query often is: signatures and tokens stand there.
    fn text(&self, shows_query: bool) -> Option<String> {
        let mut text = format!("{}://", self.scheme?);
        if self.has_credentials {
            text += "REDACTED:REDACTED@";
        }
        text += self.host?;
        if let Some(port) = self.port {
            text += &format!(":{port}");
        }
        text += self.path;
        if let Some(query) = self.query {
            text += "?";
            text += if shows_query { query } else { "REDACTED" };
        }
        Some(text)
    }

    pub(crate) fn describe(
        &self,
        method: &str,
        template: Option<&str>,
        shows_query: bool,
    ) -> RequestInfo {
        RequestInfo {
            http_method: Some(method.to_owned()),
            url_template: template.map(str::to_owned),
            url: self.text(shows_query),
            ..self.server()
        }
    }

    fn server(&self) -> RequestInfo {
        // Without the brackets of an IPv6 address.
        let host = self.host.map(|host| host.trim_matches(['[', ']']));
        let server_address = host.filter(|host| !host.is_empty()).map(str::to_owned);
        let server_port = self.port_or_default().filter(|_| server_address.is_some());
        RequestInfo { server_address, server_port, ..RequestInfo::default() }
    }
}

/// Of a request whose URL may be a path alone, and its host a header.
pub(super) fn request<B>(request: &Request<B>, shows_query: bool) -> RequestInfo {
    let mut target = Target::of(request.uri());
    let authority = target.host.is_none().then(|| host_header(request.headers())).flatten();
    if let Some(authority) = &authority {
        target.host = Some(authority.host());
        target.port = authority.port_u16();
    }
    let template = request.extensions().get().map(|UrlTemplate(template)| &**template);
    target.describe(request.method().as_str(), template, shows_query)
}

fn host_header(headers: &HeaderMap) -> Option<http::uri::Authority> {
    headers.get(header::HOST)?.to_str().ok()?.parse().ok()
}

/// Of a gRPC call: `/package.Service/Method`.
#[cfg(feature = "tonic")]
pub(crate) fn grpc<B>(request: &Request<B>) -> RequestInfo {
    RequestInfo {
        rpc_system: Some("grpc"),
        rpc_method: Some(request.uri().path().trim_start_matches('/').to_owned()),
        ..Target::of(request.uri()).server()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(uri: &str) -> RequestInfo {
        request(&Request::get(uri).body(()).unwrap(), false)
    }

    #[test]
    fn a_url_is_told_without_secrets() {
        let info = told("https://bob:hunter2@inventory:8443/api/42?token=abc");
        assert_eq!(
            info.url.as_deref(),
            Some("https://REDACTED:REDACTED@inventory:8443/api/42?REDACTED")
        );
        assert_eq!(info.server_address.as_deref(), Some("inventory"));
        assert_eq!(info.server_port, Some(8443));
        assert_eq!(told("http://token@it/").url.as_deref(), Some("http://REDACTED:REDACTED@it/"));
        let shown = request(&Request::get("http://it/?a=1").body(()).unwrap(), true);
        assert_eq!(shown.url.as_deref(), Some("http://it/?a=1"));
    }

    #[test]
    fn the_port_is_the_schemes_if_none_is_given() {
        assert_eq!(told("http://it/").server_port, Some(80));
        assert_eq!(told("https://[::1]/").server_port, Some(443));
        assert_eq!(told("https://[::1]/").server_address.as_deref(), Some("::1"));
        assert_eq!(told("https://[::1]/").url.as_deref(), Some("https://[::1]/"));
        assert_eq!(told("unix://it/").server_port, None);
    }

    #[test]
    fn a_path_alone_is_completed_by_the_host_header() {
        let plain = Request::get("/api/42").header("host", "inventory:81").body(()).unwrap();
        let info = request(&plain, false);
        assert_eq!(
            (info.server_address.as_deref(), info.server_port),
            (Some("inventory"), Some(81))
        );
        assert_eq!(info.url, None);
        let bad = Request::get("/api/42").header("host", "a b").body(()).unwrap();
        assert_eq!(request(&bad, false).server_address, None);
    }
}

//! Keys of HTTP requests.

use std::borrow::Cow;

use http::header::{AsHeaderName, HOST, HeaderMap, HeaderName};

use super::Key;
use crate::settings::ConfigError;

/// The host that a request goes to, with its port if the URL names one: `inventory:8080`.
///
/// In lower case, without user and password. For an `http::Request` whose URL names no host it is the header `host`. The scheme
/// is no part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host;

/// The value of a header: of a tenant, say.
///
/// A request without the header, or with a value that is no visible ASCII, has no key. What the header says is up to whoever sends
/// the request; the bounds of [`Keyed`](super::Keyed) hold whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header(pub HeaderName);

/// The template that a request's path fits: `/users/{id}` for `/users/42`.
///
/// A request whose path fits none has no key.
#[derive(Clone, Debug)]
pub struct PathTemplates {
    templates: Vec<String>,
}

impl PathTemplates {
    /// The first template that fits counts. A segment `{name}` fits any one segment that is not empty, and a last segment `{*name}`
    /// all that are left.
    ///
    /// ```
    /// use seawall::keyed::{Key, PathTemplates};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let paths = PathTemplates::new(["/users/me", "/users/{id}", "/files/{*path}"])?;
    /// let key = |path| {
    ///     let request = http::Request::get(path).body(()).unwrap();
    ///     paths.key(&request).map(|key| key.into_owned())
    /// };
    /// assert_eq!(key("/users/me").as_deref(), Some("/users/me"));
    /// assert_eq!(key("/users/42?full=1").as_deref(), Some("/users/{id}"));
    /// assert_eq!(key("/files/a/b.txt").as_deref(), Some("/files/{*path}"));
    /// assert_eq!(key("/users/42/orders"), None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a template that does not begin with `/`, has a brace elsewhere, or `{*name}` not at its end.
    pub fn new(
        templates: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, ConfigError> {
        let templates: Vec<String> = templates.into_iter().map(Into::into).collect();
        for template in &templates {
            check(template)?;
        }
        Ok(Self { templates })
    }

    fn find(&self, path: &str) -> Option<Cow<'_, str>> {
        let found = self.templates.iter().find(|template| fits(template, path))?;
        Some(Cow::Borrowed(found))
    }
}

/// A segment of a template.
enum Segment<'a> {
    Text(&'a str),
    One,
    Rest,
}

fn segment(text: &str) -> Segment<'_> {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(name) if name.starts_with('*') => Segment::Rest,
        Some(_) => Segment::One,
        None => Segment::Text(text),
    }
}

fn check(template: &str) -> Result<(), ConfigError> {
    let refuse = |expected| Err(ConfigError::new("path_templates", template, expected));
    if !template.starts_with('/') {
        return refuse("a path that begins with `/`");
    }
    let mut segments = template[1..].split('/').peekable();
    while let Some(text) = segments.next() {
        match segment(text) {
            Segment::Text(text) if text.contains(['{', '}']) => {
                return refuse("a path whose braces hold whole segments");
            }
            Segment::Rest if segments.peek().is_some() => {
                return refuse("a path with `{*name}` at its end alone");
            }
            Segment::One | Segment::Rest if text[1..text.len() - 1].contains(['{', '}']) => {
                return refuse("a path with one pair of braces a segment");
            }
            _ => {}
        }
    }
    Ok(())
}

fn fits(template: &str, path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let mut there = path.split('/');
    for wanted in template[1..].split('/') {
        let Some(there) = there.next() else { return false };
        let fits = match segment(wanted) {
            Segment::Text(text) => text == there,
            Segment::One => !there.is_empty(),
            Segment::Rest => return true,
        };
        if !fits {
            return false;
        }
    }
    there.next().is_none()
}

/// Without user and password, in lower case: borrowed if it is so already.
fn host(authority: &str) -> Option<Cow<'_, str>> {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() {
        return None;
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(host.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(host))
}

fn header(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

impl<B> Key<http::Request<B>> for Host {
    fn key<'a>(&'a self, request: &'a http::Request<B>) -> Option<Cow<'a, str>> {
        match request.uri().authority() {
            Some(authority) => host(authority.as_str()),
            None => host(header(request.headers(), HOST)?),
        }
    }
}

impl<B> Key<http::Request<B>> for Header {
    fn key<'a>(&'a self, request: &'a http::Request<B>) -> Option<Cow<'a, str>> {
        header(request.headers(), &self.0).map(Cow::Borrowed)
    }
}

impl<B> Key<http::Request<B>> for PathTemplates {
    fn key<'a>(&'a self, request: &'a http::Request<B>) -> Option<Cow<'a, str>> {
        self.find(request.uri().path())
    }
}

#[cfg(feature = "reqwest")]
impl Key<reqwest::Request> for Host {
    fn key<'a>(&'a self, request: &'a reqwest::Request) -> Option<Cow<'a, str>> {
        host(request.url().authority())
    }
}

#[cfg(feature = "reqwest")]
impl Key<reqwest::Request> for Header {
    fn key<'a>(&'a self, request: &'a reqwest::Request) -> Option<Cow<'a, str>> {
        header(request.headers(), &self.0).map(Cow::Borrowed)
    }
}

#[cfg(feature = "reqwest")]
impl Key<reqwest::Request> for PathTemplates {
    fn key<'a>(&'a self, request: &'a reqwest::Request) -> Option<Cow<'a, str>> {
        self.find(request.url().path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &impl Key<http::Request<()>>, uri: &str) -> Option<String> {
        let request = http::Request::get(uri).body(()).unwrap();
        key.key(&request).map(Cow::into_owned)
    }

    #[test]
    fn hosts_are_in_lower_case_and_without_credentials() {
        assert_eq!(
            of(&Host, "http://Inventory.Example:8080/x").as_deref(),
            Some("inventory.example:8080")
        );
        assert_eq!(of(&Host, "https://user:p%40ss@inventory/x").as_deref(), Some("inventory"));
        assert_eq!(of(&Host, "http://[2001:DB8::1]:81/").as_deref(), Some("[2001:db8::1]:81"));
        assert_eq!(of(&Host, "/only/a/path"), None);
        let request = http::Request::get("/x").header("host", "Inventory:1").body(()).unwrap();
        assert_eq!(Host.key(&request).as_deref(), Some("inventory:1"));
        let request = http::Request::get("/x").header("host", &b"\xff"[..]).body(()).unwrap();
        assert_eq!(Host.key(&request), None);
    }

    #[test]
    fn a_host_in_lower_case_is_borrowed() {
        let request = http::Request::get("http://inventory:1/x").body(()).unwrap();
        assert!(matches!(Host.key(&request), Some(Cow::Borrowed("inventory:1"))));
    }

    #[test]
    #[cfg(feature = "reqwest")]
    fn reqwests_requests_have_the_same_keys() {
        let request = |url: &str| reqwest::Request::new(http::Method::GET, url.parse().unwrap());
        let key = |url| Host.key(&request(url)).map(Cow::into_owned);
        assert_eq!(
            key("http://Inventory.Example:8080/x").as_deref(),
            Some("inventory.example:8080")
        );
        assert_eq!(key("https://user:p%40ss@inventory:443/x").as_deref(), Some("inventory"));
        assert_eq!(key("data:,x"), None);
        let users = PathTemplates::new(["/users/{id}"]).unwrap();
        assert_eq!(users.key(&request("http://a/users/1?b=c")).as_deref(), Some("/users/{id}"));
    }

    #[test]
    fn headers() {
        let tenant = Header(HeaderName::from_static("x-tenant"));
        let request = http::Request::get("/").header("X-Tenant", "acme").body(()).unwrap();
        assert_eq!(tenant.key(&request).as_deref(), Some("acme"));
        assert_eq!(of(&tenant, "/"), None);
    }

    #[test]
    fn templates_fit_whole_segments() {
        let paths = PathTemplates::new(["/a/{b}/c", "/d/{*rest}", "/"]).unwrap();
        assert_eq!(of(&paths, "/a/1/c").as_deref(), Some("/a/{b}/c"));
        assert_eq!(of(&paths, "/a//c"), None);
        assert_eq!(of(&paths, "/a/1/c/"), None);
        assert_eq!(of(&paths, "/d/"), Some("/d/{*rest}".into()));
        assert_eq!(of(&paths, "/d/1/2"), Some("/d/{*rest}".into()));
        assert_eq!(of(&paths, "/d"), None);
        assert_eq!(of(&paths, "/").as_deref(), Some("/"));
        for wrong in ["", "a", "/a{b}", "/{a", "/{*a}/b", "/{a{b}}"] {
            assert!(PathTemplates::new([wrong]).is_err(), "{wrong}");
        }
    }
}

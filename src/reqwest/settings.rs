//! The settings of `reqwest::ClientBuilder`, under their own names and features.
//!
//! `tests/reqwest_lists.rs` holds them beside reqwest's.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};

use super::ClientBuilder;

macro_rules! forward {
    ($($(#[cfg($condition:meta)])? fn $name:ident($($arg:ident: $type:ty),*);)*) => {
        $(
            #[doc = concat!("As `reqwest::ClientBuilder::", stringify!($name), "`.")]
            $(#[cfg($condition)])?
            pub fn $name(self, $($arg: $type),*) -> Self {
                self.with(|client| client.$name($($arg),*))
            }
        )*
    };
}

// ## Requests and responses

impl ClientBuilder {
    /// As `reqwest::ClientBuilder::user_agent`.
    pub fn user_agent<V>(self, value: V) -> Self
    where
        V: TryInto<HeaderValue>,
        V::Error: Into<http::Error>,
    {
        self.with(|client| client.user_agent(value))
    }

    /// As `reqwest::ClientBuilder::cookie_provider`.
    #[cfg(feature = "cookies")]
    pub fn cookie_provider<C>(self, store: Arc<C>) -> Self
    where
        C: reqwest::cookie::CookieStore + 'static,
    {
        self.with(|client| client.cookie_provider(store))
    }

    forward! {
        fn default_headers(headers: HeaderMap);
        fn redirect(policy: reqwest::redirect::Policy);
        fn referer(enable: bool);
        fn https_only(enable: bool);
        #[cfg(feature = "cookies")]
        fn cookie_store(enable: bool);
        #[cfg(feature = "gzip")]
        fn gzip(enable: bool);
        #[cfg(feature = "brotli")]
        fn brotli(enable: bool);
        #[cfg(feature = "zstd")]
        fn zstd(enable: bool);
        #[cfg(feature = "deflate")]
        fn deflate(enable: bool);
        fn no_gzip();
        fn no_brotli();
        fn no_zstd();
        fn no_deflate();
    }
}

// ## Connections

impl ClientBuilder {
    /// As `reqwest::ClientBuilder::dns_resolver`.
    pub fn dns_resolver<R>(self, resolver: Arc<R>) -> Self
    where
        R: reqwest::dns::Resolve + 'static,
    {
        self.with(|client| client.dns_resolver(resolver))
    }

    /// As `reqwest::ClientBuilder::unix_socket`.
    #[cfg(unix)]
    pub fn unix_socket(self, path: impl AsRef<std::path::Path>) -> Self {
        self.with(|client| client.unix_socket(path.as_ref()))
    }

    /// As `reqwest::ClientBuilder::windows_named_pipe`.
    #[cfg(target_os = "windows")]
    pub fn windows_named_pipe(self, pipe: impl AsRef<std::ffi::OsStr>) -> Self {
        self.with(|client| client.windows_named_pipe(pipe.as_ref()))
    }

    forward! {
        fn proxy(proxy: reqwest::Proxy);
        fn no_proxy();
        fn connect_timeout(timeout: Duration);
        fn read_timeout(timeout: Duration);
        fn connection_verbose(verbose: bool);
        fn pool_idle_timeout(timeout: impl Into<Option<Duration>>);
        fn pool_max_idle_per_host(most: usize);
        fn local_address(address: impl Into<Option<IpAddr>>);
        #[cfg(any(
            target_os = "android",
            target_os = "fuchsia",
            target_os = "illumos",
            target_os = "ios",
            target_os = "linux",
            target_os = "macos",
            target_os = "solaris",
            target_os = "tvos",
            target_os = "visionos",
            target_os = "watchos",
        ))]
        fn interface(interface: &str);
        fn tcp_nodelay(enable: bool);
        fn tcp_keepalive(idle: impl Into<Option<Duration>>);
        fn tcp_keepalive_interval(interval: impl Into<Option<Duration>>);
        fn tcp_keepalive_retries(retries: impl Into<Option<u32>>);
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        fn tcp_user_timeout(timeout: impl Into<Option<Duration>>);
        fn resolve(domain: &str, address: SocketAddr);
        fn resolve_to_addrs(domain: &str, addresses: &[SocketAddr]);
        #[cfg(feature = "hickory-dns")]
        fn hickory_dns(enable: bool);
        fn no_hickory_dns();
    }
}

// ## HTTP/1 and HTTP/2

impl ClientBuilder {
    forward! {
        fn http1_only();
        fn http1_title_case_headers();
        fn http1_allow_obsolete_multiline_headers_in_responses(enable: bool);
        fn http1_ignore_invalid_headers_in_responses(enable: bool);
        fn http1_allow_spaces_after_header_name_in_responses(enable: bool);
        fn http1_max_headers(most: usize);
        fn http09_responses();
        #[cfg(feature = "http2")]
        fn http2_prior_knowledge();
        #[cfg(feature = "http2")]
        fn http2_initial_stream_window_size(bytes: impl Into<Option<u32>>);
        #[cfg(feature = "http2")]
        fn http2_initial_connection_window_size(bytes: impl Into<Option<u32>>);
        #[cfg(feature = "http2")]
        fn http2_adaptive_window(enable: bool);
        #[cfg(feature = "http2")]
        fn http2_max_frame_size(bytes: impl Into<Option<u32>>);
        #[cfg(feature = "http2")]
        fn http2_max_header_list_size(bytes: u32);
        #[cfg(feature = "http2")]
        fn http2_keep_alive_interval(interval: impl Into<Option<Duration>>);
        #[cfg(feature = "http2")]
        fn http2_keep_alive_timeout(timeout: Duration);
        #[cfg(feature = "http2")]
        fn http2_keep_alive_while_idle(enable: bool);
    }
}

// ## TLS

#[cfg(feature = "rustls-no-provider")]
impl ClientBuilder {
    forward! {
        fn tls_certs_merge(certificates: impl IntoIterator<Item = reqwest::Certificate>);
        fn tls_certs_only(certificates: impl IntoIterator<Item = reqwest::Certificate>);
        fn add_root_certificate(certificate: reqwest::Certificate);
        fn tls_crls_only(lists: impl IntoIterator<Item = reqwest::tls::CertificateRevocationList>);
        fn add_crl(list: reqwest::tls::CertificateRevocationList);
        fn add_crls(lists: impl IntoIterator<Item = reqwest::tls::CertificateRevocationList>);
        fn identity(identity: reqwest::Identity);
        fn tls_danger_accept_invalid_hostnames(accept: bool);
        fn danger_accept_invalid_hostnames(accept: bool);
        fn tls_danger_accept_invalid_certs(accept: bool);
        fn danger_accept_invalid_certs(accept: bool);
        fn tls_sni(enable: bool);
        fn tls_sslkeylogfile(enable: bool);
        fn tls_version_min(version: reqwest::tls::Version);
        fn min_tls_version(version: reqwest::tls::Version);
        fn tls_version_max(version: reqwest::tls::Version);
        fn max_tls_version(version: reqwest::tls::Version);
        fn tls_backend_rustls();
        fn use_rustls_tls();
        fn tls_backend_preconfigured(tls: impl std::any::Any);
        fn use_preconfigured_tls(tls: impl std::any::Any);
        fn tls_info(enable: bool);
    }
}

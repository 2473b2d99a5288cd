//! What a span tells of an attempt, in no protocol's types.

/// What an attempt is, for its span. Asked of a [`Replay`](crate::Replay), and only if somebody listens.
///
/// What is not known stays away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestInfo {
    /// `http.request.method`; one that is not in general use is told as `_OTHER`.
    pub http_method: Option<String>,
    /// `url.template`: the path with its variable parts left open, as `/users/{id}`.
    pub url_template: Option<String>,
    /// `url.full`. What is secret in it is for the one who fills this in to leave out.
    pub url: Option<String>,
    /// `rpc.system.name`, such as `grpc`.
    pub rpc_system: Option<&'static str>,
    /// `rpc.method`, such as `inventory.Stock/Count`.
    pub rpc_method: Option<String>,
    /// `server.address`.
    pub server_address: Option<String>,
    /// `server.port`.
    pub server_port: Option<u16>,
}

/// What a response says of itself, for the span of its attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseInfo {
    /// `http.response.status_code`.
    pub http_status: Option<u16>,
    /// The code of gRPC, if the head has one: `rpc.response.status_code`.
    pub grpc_code: Option<i32>,
}

impl ResponseInfo {
    /// Of a response over HTTP.
    #[must_use]
    pub const fn http(status: u16) -> Self {
        Self { http_status: Some(status), grpc_code: None }
    }

    /// The same, with what gRPC says.
    #[must_use]
    pub const fn grpc(self, code: Option<i32>) -> Self {
        Self { grpc_code: code, ..self }
    }
}

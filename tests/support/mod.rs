//! `seawall::testing::server`, and what only our own tests need: TLS, and dates.

// Each test binary uses a part of this.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs, missing_debug_implementations)]

mod tls;

use std::time::SystemTime;

pub use seawall::testing::server::{
    Behaviour, Builder, Counts, FaultServer, Gate, Http2Code, OnConnect, RefusedPort, Seen,
    sequence,
};
pub use tls::{Alpn, Identity, Tls, install_provider};

/// 503 with `Retry-After` as a date, and the `Date` that the server believes in.
pub fn unavailable_until(date: SystemTime, now: SystemTime) -> Behaviour {
    Behaviour::status(503)
        .header("date", &httpdate::fmt_http_date(now))
        .header("retry-after", &httpdate::fmt_http_date(date))
}

//! The only place that looks at the wall clock. Everything else runs on tokio's clock.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, SystemTime};

/// The wall clock now.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Time since the beginning of the current second of the wall clock.
pub(crate) fn phase_of_second() -> Duration {
    Duration::from_nanos(since_epoch().subsec_nanos().into())
}

/// Time since 1970.
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

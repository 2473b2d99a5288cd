//! time_limiter

//! Settings replaced while calls run: `rg9_…` is statement RG9 of the reference, for every pattern.

mod bulkhead;
mod circuit_breaker;
mod load;
mod rate_limiter;
mod retry;
mod support;
mod time_limiter;
mod timer;

//! A pipeline and the same steps as single layers do the same.
//!
//! Random settings, backends and callers are played twice on the paused clock: against one pipeline, and
//! against `Retry(CircuitBreaker(RateLimiter(TimeLimiter(Bulkhead(Timer(service))))))` put together by hand. What
//! callers get and when, the calls that are made, the events of every instance with their times, and
//! what the instances say of themselves must be the same.
//!
//! Where the two differ on purpose, `differs_…` pins how.
#![allow(unreachable_pub)]

mod equality {
    mod differences;
    mod properties;
    mod script;
    mod world;
}

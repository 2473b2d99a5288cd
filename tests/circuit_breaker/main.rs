//! The circuit breaker, statement by statement: `cb16_…` is statement CB16 of the reference.
//!
//! Only what users can reach, on the paused clock.

mod callbacks;
mod concurrency;
mod config;
mod driver;
mod half_open;
mod manual;
mod open;
mod outcomes;
mod regressions;
mod support;
mod thresholds;
mod unobserved;
mod windows;

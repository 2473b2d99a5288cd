//! Replays recorded traces into seawall, step by step.
//!
//! `set` finds the traces, `replay` runs one, a module a pattern knows how to play its steps, and
//! `differences` lists where seawall goes its own way on purpose. `proof` shows that all this can fail.

pub(crate) mod harness;
pub(crate) mod proof;
pub(crate) mod set;

mod bulkhead;
mod checksum;
mod circuit_breaker;
mod clock;
mod differences;
mod fields;
mod labels;
mod rate_limiter;
mod replay;
mod retry;
mod wait;
mod window;

//! The rate limiter through its public door: `rl07_…` is statement RL07 of the reference.

mod algorithms;
mod cost;
mod layer;
mod statements;
mod support;
mod waiting;

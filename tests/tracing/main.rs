//! Spans per call and per attempt, lines inside them, and the trace context that goes out.

mod collect;
mod context;
#[path = "../support/mod.rs"]
mod faults;
mod lines;
mod otel;
mod panics;
mod spans;
mod support;

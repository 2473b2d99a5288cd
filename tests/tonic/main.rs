//! tonic's channel and a generated client behind a pipeline.

mod channels;
#[path = "../support/mod.rs"]
mod faults;
mod judging;
mod refusals;
mod retries;
mod support;

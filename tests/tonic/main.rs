//! tonic's channel and a generated client behind a pipeline.

#[path = "../support/mod.rs"]
mod faults;
mod judging;
mod refusals;
mod support;

//! Settings from files.
#![cfg(feature = "config")]

mod apply;
mod classifiers;
mod environment;
mod formats;
mod fuzz;
mod limits;
mod real_world;
mod reload;
mod schema;
mod serde;
mod statements;
mod support;
mod timers;
mod wrong;

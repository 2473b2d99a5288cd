//! seawall over and under what its users already have. Each module is one stack, small enough to be copied; the paragraphs that belong
//! to them are in `docs/stacks.md`, whose snippets are compiled with this crate.
//!
//! This crate is not published. It is a package of its own so that the library's dependencies stay its own.

pub mod axum;
pub mod fake;
pub mod kube;
pub mod middleware;
pub mod octocrab;
pub mod openapi;
mod replay;

pub use replay::TryClone;

/// Compiles the snippets.
#[cfg(doctest)]
#[doc = include_str!("../../docs/stacks.md")]
struct Guide;

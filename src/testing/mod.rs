//! For tests of what you build on seawall: a server that misbehaves, a clock that steps, and the laws of layers.
//!
//! Switch the feature `testing` on among your dev-dependencies only:
//!
//! ```toml
//! [dev-dependencies]
//! seawall = { version = "0.1", features = ["testing"] }
//! ```
//!
//! | module | for |
//! |---|---|
//! | [`server`] | tests of your client against a server that is down, slow, broken or lying |
//! | [`clock`] | tests of retries, breakers and limits on a paused clock, without sleeping |
//! | [`contract`] | the laws of tower over a layer of your own |

pub mod clock;
pub mod contract;
#[doc(hidden)]
pub mod cores;
mod either;
pub mod server;

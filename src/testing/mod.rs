//! For tests: of your own layers, and of seawall itself.

pub mod contract;
#[doc(hidden)]
pub mod cores;

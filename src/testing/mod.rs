//! For tests: seawall's own, and those of your layers. Behind the feature `testing`.

#[doc(hidden)]
pub mod cores;

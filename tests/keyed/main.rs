//! One instance per key: what is made, what is given up, what is shared.

#[path = "../support/alloc.rs"]
mod alloc;

mod bounds;
mod eviction;
mod layers;
mod many;
mod reqwest;

//! The bulkhead from outside: `bh03_…` is statement BH3 of the reference.

mod crowds;
mod deadlines;
mod layer;
mod queue;
mod statements;
mod support;

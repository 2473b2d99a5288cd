//! The meters: their names and tags, what they count, and every way out.

mod facade;
mod hostile;
mod instances;
mod keyed;
mod otel;
mod registry;
mod serve;
mod snapshot;
mod strict;
mod support;
mod table;
mod timers;
mod values;

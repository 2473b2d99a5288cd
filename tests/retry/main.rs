//! The retry from outside: through its layer, its handle, and counted by hand.
//!
//! Tests named `rtNN_…` and `buNN_…` hold the numbered statements of the retry and its budget.

mod basics;
mod budget;
mod budget_rules;
mod byhand;
mod deadlines;
mod http;
mod hurry;
mod panics;
mod pushback;
mod regressions;
mod results;
mod support;
mod waits;

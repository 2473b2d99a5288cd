//! Formulas for waits, statement by statement: `bo2_…` is statement BO2 of the reference.

mod peers;
mod properties;
mod remembering;
mod resilience4j;
mod support;

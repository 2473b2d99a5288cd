//! Named instances: the statements RG1 to RG10, and what else a registry promises.

mod events;
mod pipelines;
mod races;
mod statements;
mod timers;
mod user_code;

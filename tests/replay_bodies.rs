//! Request bodies that are not `Clone`, sent again.

mod support;

#[path = "replay_bodies/clients.rs"]
mod clients;
#[path = "replay_bodies/frames.rs"]
mod frames;
#[path = "replay_bodies/script.rs"]
mod script;

//! The timer from outside: what it measures, how calls end that do not come to theirs, and what it tells.

mod callbacks;
mod events;
mod given_up;
mod handle;
mod http;
mod layer;
mod pipeline;
mod support;
mod tags;

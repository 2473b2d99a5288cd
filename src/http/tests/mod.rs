//! Tests of what stands beside: bytes and errors as no server is likely to send them.

mod body;
mod kind;
mod replay;
mod retry_after;

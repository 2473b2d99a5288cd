//! Counts the allocations of the current thread.
//!
//! A module on its own: a test binary that names it gets another global allocator, and no other does.
//! The allocator lives in a crate since this one forbids `unsafe`.
//!
//! ```ignore
//! #[path = "support/alloc.rs"]
//! mod alloc;
//! assert_eq!(alloc::allocations(|| service_call()), 0);
//! ```

#![allow(unreachable_pub)]

/// How often this thread has asked for memory (or for more of it) while `work` ran.
pub fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

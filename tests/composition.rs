//! Steps put together: the statements CO1 to CO9, what the builder refuses, and deadlines.
#![allow(unreachable_pub)]

mod composition {
    mod builder;
    mod deadlines;
    mod order;
    mod support;
}

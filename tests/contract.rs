//! The laws of `seawall::testing::contract` over every layer, and layers that break one law each.
#![allow(unreachable_pub)]

mod contract {
    mod broken;
    mod callbacks;
    mod layers;
    mod local;
    mod stacks;
    mod support;
}

//! Helps to test layers: seawall's own, and yours. Behind the feature `testing`.

pub mod contract;

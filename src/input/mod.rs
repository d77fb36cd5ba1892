//! From the paths a user typed to bytes: which files there are, how to read them, which belong together, and
//! which lines stand in two of them. Nothing here knows what a log line means.
//!
//! Arrows point down: [`discover`] finds [`source::Source`]s, [`family`] orders rotated sets, [`duplicates`] finds
//! lines told twice; [`source`] reads, with [`inflate`] for what is packed, [`stdin`] for what can be read only
//! once. [`digest`] tells later whether a file is still the same.

pub mod digest;
pub mod discover;
pub mod duplicates;
pub mod family;
pub mod inflate;
pub mod source;
pub mod stdin;

//! What a line says: access-log formats, error-log records, the framing others put around them, and the
//! configuration that names the formats.
//!
//! This file only opens the doors; it knows no format itself.

pub mod access;
pub mod builtin;
pub mod directive;
pub mod errorlog;
pub mod exclude;
pub(crate) mod find;
pub mod foreign;
pub mod framing;
pub mod json;
pub mod labelled;
pub mod learn;
pub mod nginx_conf;
pub mod record;

pub use access::{AccessFormat, Mismatch};
pub use directive::{Escape, Field, Piece};
pub use exclude::Exclude;
pub use foreign::Foreign;
pub use json::JsonKeys;
pub use learn::{Learned, LogKind, learn, learn_beside};
pub use record::{AccessRecord, ErrorRecord, Level};

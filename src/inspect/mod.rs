//! inspect turns what detection found into incidents: it gives error records their meaning, names causes with the
//! lines that say so, and puts everything into the words of the report.
//!
//! [`host`] gathers what one host's files say, on one clock; [`marks`] reads nginx's words about itself;
//! [`incident`] and [`cause`] make incidents; [`found`] makes findings; [`files`] says what the files cover and what
//! was not counted.

mod cause;
mod files;
mod found;
mod host;
mod incident;
mod joint;
mod marks;

pub use cause::{server_side, word_summary};
pub use files::{coverage, inputs, not_counted};
pub use found::findings;
pub use host::{Counted, Host, hosts};
pub use incident::incidents;
pub use joint::join_hosts;
pub use marks::Word;

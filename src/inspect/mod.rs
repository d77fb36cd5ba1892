//! inspect turns what detection found into incidents: it gives error records their meaning, names causes with the
//! lines that say so, and puts everything into the words of the report.
//!
//! [`host`] gathers what one host's files say, on one clock; [`marks`] reads nginx's words about itself;
//! [`incident`] and [`cause`] make incidents, [`chart`] and [`budget`] what follows from them; [`found`] makes findings; [`files`] says what the files cover and what
//! was not counted.

mod budget;
mod cause;
mod chart;
mod files;
mod found;
mod host;
mod incident;
mod joint;
mod marks;

pub use budget::error_budget;
pub use cause::server_side;
pub use chart::Charts;
pub use files::{coverage, inputs, not_counted};
pub use found::findings;
pub use host::{Counted, Host, hosts};
pub use incident::incidents;
pub use joint::join_hosts;

//! scan sees every byte once and does the least it can: time, status, class, into per-second counts; failures and
//! error records, which are rare, in more detail.
//!
//! What a part of a file yields ([`FileScan`]) is a value with an exact merge. [`plan`] works out how a file is
//! read; [`access`] has what the hot loops [`quoted`] and [`json`] share, [`errors`] is the one over records, all on [`lanes`]; [`scanner`] is what they call when a line is
//! more than a count; [`bounded`] keeps what they find small.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined into code compiled for better lanes becomes calls: three times the scan"
)]
#![allow(clippy::large_stack_arrays, reason = "positions of a block: 16.25 KiB, on threads of 2 MiB")]

mod access;
mod bounded;
mod brief;
mod drive;
mod endpoint;
mod errors;
mod excluding;
mod far;
mod few;
mod filling;
mod front;
mod json;
mod keep;
mod known;
mod lanes;
mod names;
mod partial;
mod plan;
mod quoted;
mod rows;
mod scanner;
mod seek;
mod tally;
#[cfg(test)]
mod tests;
mod waited;

pub(crate) use bounded::hash;
pub use drive::{Job, ScanOptions, scan};
pub use endpoint::last_peer;
pub(crate) use endpoint::template;
pub use partial::{Block, Dimension, FileScan, Sample, SerialFall};
pub(crate) use plan::LastStamp;
pub use plan::Plan;
pub use scanner::has_failed;
pub use seek::seek;
pub(crate) use seek::time_of;
pub use tally::{ErrorCount, FailureTally, Seconds};

use plan::Fast;
use scanner::{Origin, Scanner};

/// Scans the lines of a slice in the way that fits them, and returns how many there are.
fn lines(scanner: &mut Scanner<'_>, bytes: &[u8], origin: Origin) -> u64 {
    match &scanner.plan.exclude {
        None => fast_lines(scanner, bytes, origin),
        Some(exclude) => excluding::lines(scanner, exclude, bytes, origin),
    }
}

/// The same where every line counts.
fn fast_lines(scanner: &mut Scanner<'_>, bytes: &[u8], origin: Origin) -> u64 {
    match &scanner.plan.fast {
        Fast::Quoted(plan) => lanes::dispatch(quoted::QuotedLoop { scanner, plan, bytes, origin }),
        Fast::Json(plan) => lanes::dispatch(json::JsonLoop { scanner, plan, bytes, origin }),
        Fast::ErrorLog => lanes::dispatch(errors::ErrorLoop { scanner, bytes, origin }),
        Fast::None => lanes::dispatch(access::PlainLoop { scanner, bytes, origin }),
    }
}

/// Newlines of a slice, found as the scan finds them: the floor that benchmarks compare with.
pub fn count_newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

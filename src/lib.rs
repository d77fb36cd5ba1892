//! `downtime` reads nginx access and error logs and says when an outage started, when it ended, how sure that is,
//! what failed, for whom, and why, with the lines that prove it. This page is its architecture.
//!
//! ```no_run
//! use downtime::analysis::{self, Options};
//!
//! let options = Options { paths: vec!["/var/log/nginx".into()], ..Options::default() };
//! let outcome = analysis::run(&options, &())?;
//! for incident in &outcome.report.incidents {
//!     println!("{}: {}", incident.id, incident.why);
//! }
//! # Ok::<(), downtime::error::Error>(())
//! ```
//!
//! # The way of the data
//!
//! ```text
//! discover -> Source -> look -> Reading (Plan) -> scan -> FileScan -> Host -> detect -> [Anomaly]
//!                                                                       \-> inspect -> [Incident] -> Report -> render
//! ```
//!
//! | stage | where | what it does, and what it leaves to others |
//! |---|---|---|
//! | input | [`input`] | finds files, tells how they are packed, maps and streams them, orders rotated sets, finds lines that stand in two files; knows no log line |
//! | formats | [`mod@format`] | what one line says: framing, access formats given or learnt, error records, nginx's configuration; knows no file |
//! | reading | [`reading`] | joins the two: how each file is read; runs the scan; reads single lines again |
//! | scan | [`scan`] | sees every byte once and does the least it can: per-second counts into a [`timeline`], failures and error records in bounded detail |
//! | detection | [`detect`] | counts in, anomalies out; no files, no clock, no printing; the formulas are in [`stats`] |
//! | inspection | [`inspect`] | one host's logs on one clock ([`zone`]), error records given their meaning ([`catalogue`]), anomalies made incidents |
//! | lines | [`lines`] | the raw lines behind an incident or a place, of all files in the order of time |
//! | report | [`report`] | everything that is printed, as data |
//! | redaction | [`redact`] | hides clients and query strings in a finished report |
//! | rendering | [`render`] | a report in each output format; computes nothing |
//! | notes | [`verify`] | a written timeline or postmortem held against a report; pure |
//! | the order of it all | [`analysis`] | calls the stages |
//! | many hosts | [`parts`] | what some hosts say, as a file; and the report of such files |
//! | runs that go on | [`state`] | remembers how far each log was read and what the scans yielded; what is news |
//! | verdict | [`check`] | a report and a window in, what monitoring wants to hear out |
//!
//! Arrows point down: a module uses those below it in this order: `check`, `state`, `parts`, `analysis`, `lines`, `redact`, `render`, `verify`, `inspect`, `reading`, `scan`,
//! `detect`, `input`, `catalogue`, `format`, `zone`, `report`, `timeline`, `clock`, `stats`, `parallel`, `heap`, `lanes`, `machine`,
//! `time`,
//! `error`. The command line belongs to the binary; the library does not know it.
//!
//! # What holds everywhere
//!
//! * **A part of a scan is a value with an exact merge.** Counts are sums; what must be bounded is bounded by rules
//!   that are functions of the whole set and not of its order (the smallest hashes, the finest bucket that fits).
//!   So any cut of the input, any number of threads and any order give the same report, byte for byte.
//! * **Memory follows the span of the log and the variety of its failures**, never its size or the number of URLs.
//!   Caps are named constants, and the report says when one was met.
//! * **Nothing is lost silently.** What is not a counted line is counted elsewhere: unparsed, duplicate, outside the
//!   window, oversized, cut, damaged, refused; with an example.
//! * **Times are UTC inside**, seconds in counts and milliseconds in reports. Zones exist at the edges. The stamps of
//!   an error log have no zone: it is found by matching failed requests that both logs saw.
//! * **Each danger has one file**: `machine.rs` has all `unsafe` (it maps files and survives their being cut, asks for
//!   large pages, and holds the processor's vector instructions), `parallel.rs` makes threads. The linter guards these doors.
//! * **Line contents are bytes** until they are printed, and then they are escaped.
//!
//! # How a verdict is reached
//!
//! Every second of the log has successes, failures (5xx, and a 499 that had waited a second) and other lines. What
//! share usually fails is learnt from the log itself. An automaton over levels of failure finds the stretches in which
//! the evidence, a log-likelihood ratio against the usual share, pays for entering them; the price covers every second
//! at which chance could have begun. Gates ask for size, for more than the log's ordinary wobble, and for contrast with
//! what lies around. Silence is tested against the rate before and after. Edges are the first and last failing seconds,
//! with the last good one before and the first good one after. A pause longer than one outage may have, and surer than
//! chance makes one, parts two. A crowd behind a silence tells that requests came in it and were kept
//! waiting. See [`detect`] for the formulas and their sources.
//!
//! A part of the site with hardly any of the traffic can fail and move the failed share by nothing. The names of what
//! failed are counted by the second: where those of one virtual host, endpoint or peer lie together more than the
//! requests do (Kulldorff's scan statistic), the requests for it alone are put to the same test, at the price of as many
//! looks as there are names.
//!
//! Late answers are judged by the same automaton, over requests that took several times as long as this log's usually do.
//! Where a verdict hangs on paths or clients, [`inspect`] reads the requests around the candidate again: content is gone
//! if what was asked for used to be there, and what one client met alone, while the others were served, is no incident.
//! Of a long stretch only a part is read, so this costs little beside the scan.

pub mod analysis;
pub mod catalogue;
pub mod check;
pub mod clock;
pub mod detect;
pub mod error;
pub mod format;
pub mod heap;
pub mod input;
pub mod inspect;
mod lanes;
pub mod lines;
mod machine;
pub mod parallel;
pub mod parts;
mod ranges;
pub mod reading;
pub mod redact;
pub mod render;
pub mod report;
pub mod scan;
pub mod state;
pub mod stats;
pub mod time;
pub mod timeline;
pub mod verify;
pub mod zone;

//! inspect turns what detection found into incidents: it gives error records their meaning, names causes with the
//! lines that say so, and puts everything into the words of the report.
//!
//! [`host`] gathers what one host's files say, on one clock; [`marks`] reads nginx's words about itself;
//! [`incident`], [`words`] and [`cause`] make incidents, [`chart`] and [`budget`] what follows from them, [`around`] and [`shares`]
//! what they are compared with; [`several`] and [`skew`] compare hosts; [`found`] makes findings;
//! [`files`] says what the files cover and what
//! was not counted.

mod again;
mod answered_late;
mod around;
mod arrived;
mod availability;
mod background;
mod budget;
mod cause;
mod chart;
mod cut_short;
mod failures_only;
mod files;
mod found;
mod given_up;
mod heartbeat;
mod host;
mod hung_pages;
mod impact;
mod incident;
mod joint;
mod late_part;
mod limited;
mod marks;
mod missing;
mod one_client;
mod onset;
mod own_edges;
mod phases;
mod places;
mod quoted;
mod released;
mod restarts;
mod seen;
mod several;
mod severity;
mod shares;
mod shown;
mod skew;
mod small;
mod stalled;
mod taken_over;
mod unwritten;
mod words;

pub use again::{Looks, unpack};
pub use around::around;
pub use availability::availability;
pub use budget::error_budget;
pub use cause::word_summary;
pub use chart::Charts;
pub use files::{LeftOut, coverage, inputs, left_out, sort_inputs};
pub use found::findings;
pub use host::{Counted, Host, hosts};
pub use incident::incidents;
pub use joint::join_hosts;
pub use marks::Word;
pub use seen::{Seen, records, sightings};
pub use several::{alike, hosts_of, joint, summaries};
pub use taken_over::taken_over;

use crate::detect::{self, Anomaly, Detection};
use crate::report::Finding;
use crate::timeline::{Class, Classes};

/// Looks again at what detection found, where the verdict hangs on single requests: takes out what one client did
/// alone, adds content that went missing, and gives the findings about what is neither.
pub fn settle(host: &Host<'_>, looks: &mut Looks, rises: Rises, found: &mut Detection) -> Vec<Finding> {
    let mut findings = small::find(host, looks, found);
    late_part::find(host, looks, found);
    findings.extend(one_client::take_out(host, looks, found));
    if host.trials.is_none() {
        limited::find(host, looks, found);
        findings.extend(missing::find(host, looks, rises.missing, found));
        given_up::find(host, looks, rises.given_up, found);
    }
    unwritten::find(host, found);
    stalled::find(host, found);
    detect::join(found);
    onset::date(host, found);
    arrived::date(host, looks, found);
    own_edges::date(host, looks, found);
    released::date(host, looks, found);
    hung_pages::date(host, looks, found);
    failures_only::uncount(host, found);
    restarts::prove(host, found);
    findings
}

/// The stretches in which more than usual was missing, and in which more than usual was given up. They hang on nothing
/// else that is found.
#[derive(Debug, Default)]
pub struct Rises {
    missing: Vec<Anomaly>,
    given_up: Vec<Anomaly>,
}

impl Rises {
    /// Those of a host. With request times what was given up is among the failures already: that which had waited. What
    /// was missing is judged by the paths, of which a few may be all that is gone: a rise that would prove nothing among all
    /// requests is worth the look.
    pub fn of(host: &Host<'_>) -> Self {
        if host.trials.is_some() {
            return Self::default();
        }
        let (good, missing) = (Classes::GOOD, Classes::one(Class::Missing));
        let (candidates, options) = (detect::Options::candidates(), detect::Options::default());
        if host.arrival_known() {
            let among = detect::Among { timeline: &host.timeline, good, bad: missing };
            let missing = detect::stretches(&among, &candidates).anomalies;
            return Self { missing, given_up: Vec::new() };
        }
        let bad = [missing, Classes::one(Class::Aborted)];
        let found = detect::stretches_of_two(&host.timeline, good, bad, [&candidates, &options]);
        let [missing, given_up] = found.map(|found| found.anomalies);
        Self { missing, given_up }
    }
}

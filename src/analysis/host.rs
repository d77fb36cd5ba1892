//! One host: what is detected in its counts, and what inspection makes of it.

use super::part::HostPart;
use crate::detect::{self, Signals};
use crate::error::Result;
use crate::inspect::{self, Counted, Host};
use crate::parallel::{Workers, both};
use crate::report::{Coverage, CoverageState};
use crate::time::Window;
use std::borrow::Cow;

/// What one host says; `apart` where there are others to compare it with.
pub(super) fn host_part<'a>(
    host: &'a Host<'_>,
    coverage: &[Coverage],
    apart: bool,
    workers: Option<&Workers>,
    more: impl FnOnce() -> Result<Workers>,
) -> Result<HostPart<'a>> {
    let (records, said) = inspect::records(host);
    let coverage: Vec<Coverage> = coverage.iter().filter(|c| c.host == host.name).cloned().collect();
    let (mut found, rises) =
        both(workers, || detect_host(host, &coverage, workers), || inspect::Rises::of(host));
    inspect::unpack(host, &found, more)?;
    let mut looks = inspect::Looks::default();
    let mut findings = inspect::settle(host, &mut looks, rises, &mut found);
    let incidents = inspect::incidents(host, &mut looks, &found.anomalies);
    findings.extend(inspect::findings(host, &found.anomalies, &found.remarks));
    Ok(HostPart {
        name: host.name.clone(),
        timeline: Cow::Borrowed(&host.timeline),
        errors: Cow::Borrowed(host.error_ticks()),
        records,
        said,
        sightings: if apart { inspect::sightings(host) } else { Vec::new() },
        incidents,
        findings,
        coverage,
        failures_only: host.trials.is_some(),
    })
}

fn detect_host(host: &Host<'_>, coverage: &[Coverage], workers: Option<&Workers>) -> detect::Detection {
    let mine = coverage.iter().filter(|c| c.state == CoverageState::Covered);
    let covered: Vec<Window> =
        mine.map(|c| Window { start: c.start.div_euclid(1000), end: c.end.div_euclid(1000) }).collect();
    // Asked for every record, so worked out once for every class.
    let classes = u16::try_from(host.catalogue.patterns().len()).unwrap_or(u16::MAX);
    let excused: Vec<bool> = (0..classes).map(|c| host.category(c).starts_with("limit.")).collect();
    let is = |of: &[bool], class: u16| of.get(usize::from(class)).copied().unwrap_or(false);
    let counted = Counted::of(host);
    let timed_out = |window: Window| {
        let all = host.failures_unnamed(window);
        let late: u64 = [504, 408, 499].iter().filter_map(|s| all.statuses.get(s)).sum();
        late * 2 > all.failed
    };
    let detect_options =
        detect::Options { arrival_known: host.arrival_known(), ..detect::Options::default() };
    detect::find(
        &Signals {
            access: (!host.timeline.is_empty()).then_some(&counted),
            timings: host.trials.is_none().then_some(&host.timeline),
            errors: host.error_ticks(),
            server_side: &|class| host.server_side(class),
            excused: &|class| is(&excused, class),
            timed_out: &timed_out,
            marks: &host.marks,
            other_activity: &host.error_activity(),
            covered: &covered,
        },
        &detect_options,
        workers,
    )
}

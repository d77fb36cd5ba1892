//! Which incidents are known, under which name, and what of them is news: each is told when it is new and when it ended,
//! and where it was asked for when it goes on for an hour; each of these once.

use crate::report::{Incident, News, NewsKind, Report, Severity};
use crate::time::{Millis, Second};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An end is believed when the log went on for so long behind it: what flares up again within minutes is one incident,
/// and "over" must not be taken back.
const SETTLED: Millis = 300_000;
/// An incident that goes on so long after it was told is told once more, where that was asked for.
const STILL: Millis = 3_600_000;
/// Incidents that are remembered; of those that are over the oldest is forgotten first.
const KNOWN: usize = 1024;
/// Virtual hosts that get a counter of their own.
const VHOSTS: usize = 100;

/// An incident that was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// The name under which it was told first.
    pub id: String,
    /// Its severity by number, see [`Known::severity`].
    severity: u8,
    /// Where, as far as one word says it: a virtual host, or `all`.
    pub vhost: String,
    hosts: Vec<String>,
    /// From (UTC milliseconds).
    pub start: Millis,
    /// Its last instant so far.
    pub end: Millis,
    /// Nothing says that it is over.
    pub open: bool,
    /// When it was told, by the clock of the log.
    told: Millis,
    continued: bool,
    ended: bool,
    /// Its seconds that are in the sums already; `None` before it is counted.
    counted: Option<f64>,
}

const SEVERITIES: [Severity; 5] =
    [Severity::Outage, Severity::Degradation, Severity::Slowdown, Severity::Hidden, Severity::Unknown];

impl Known {
    /// How bad it is or was.
    pub fn severity(&self) -> Severity {
        SEVERITIES.get(usize::from(self.severity)).copied().unwrap_or(Severity::Unknown)
    }

    /// Whether its end was told.
    pub fn is_over(&self) -> bool {
        self.ended
    }
}

/// What was counted of incidents since the state began: virtual host, then severity.
type Sums = BTreeMap<(String, u8), (u64, f64)>;

/// The known incidents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    known: Vec<Known>,
    /// Incidents and seconds of those that are over.
    over: Sums,
}

impl Ledger {
    /// The known incidents, by start.
    pub fn known(&self) -> &[Known] {
        &self.known
    }

    /// The start of the oldest incident that goes on or reaches beyond `from`: a cut through an incident would leave a
    /// stump that is none.
    pub(super) fn oldest_after(&self, from: Second) -> Option<Second> {
        let after = self.known.iter().filter(|k| !k.ended || k.end >= from.saturating_mul(1000));
        after.map(|k| k.start.div_euclid(1000)).min()
    }

    /// Incidents that are over and their seconds since the state began, by virtual host and severity. They never go
    /// down: an incident is counted when its end is told, under what it is known to be by then.
    pub fn sums(&self) -> BTreeMap<(String, Severity), (u64, f64)> {
        let named =
            |severity: u8| SEVERITIES.get(usize::from(severity)).copied().unwrap_or(Severity::Unknown);
        self.over.iter().map(|((vhost, severity), sum)| ((vhost.clone(), named(*severity)), *sum)).collect()
    }

    /// Gives the incidents of a report the names they are known by, and says what is news; with `remind` also what goes
    /// on for an hour.
    pub(super) fn settle(&mut self, report: &mut Report, remind: bool) -> Vec<News> {
        let now = report.span.map_or(0, |(_, last)| last);
        let since = report.span.map_or(0, |(first, _)| first);
        let mut news = Vec::new();
        let mut met = vec![false; self.known.len()];
        for incident in &mut report.incidents {
            // One that turns out to be two gives its name to the first.
            let free = self.known.iter().enumerate().filter(|(i, _)| !met[*i]);
            let found = free.filter(|(_, k)| same(k, incident)).map(|(i, _)| i);
            // Two that were told apart may turn out to be one: the first name stays.
            let found: Vec<usize> = found.collect();
            if let Some(&at) = found.first() {
                for &i in &found {
                    met[i] = true;
                    if i != at {
                        // Counted under the other name.
                        (self.known[i].ended, self.known[i].counted) = (true, Some(f64::MAX));
                    }
                }
                self.known[at].follow(incident, now, remind, &mut news);
                incident.id.clone_from(&self.known[at].id);
            } else {
                let known = Known::new(incident, now, self.vhost(incident), &mut news);
                self.known.push(known);
                met.push(true);
            }
        }
        for (known, _) in self.known.iter_mut().zip(&met).filter(|(k, met)| !**met && !k.ended) {
            // With more of the log it does not stand out any more, or it lies before all that is kept.
            if known.end + SETTLED <= now || known.end < since {
                known.ended = true;
                known.open = false;
                news.push(News { id: known.id.clone(), kind: NewsKind::Withdrawn });
            }
        }
        self.count();
        self.forget(since);
        report.news = Some(news.clone());
        news
    }

    /// The virtual host an incident is counted under.
    fn vhost(&self, incident: &Incident) -> String {
        let one = match incident.scope.vhosts.as_slice() {
            [one] if !incident.scope.all => one.clone(),
            _ => return "all".into(),
        };
        let known = self.over.keys().map(|k| &k.0).chain(self.known.iter().map(|k| &k.vhost));
        let known: std::collections::BTreeSet<&String> = known.collect();
        if known.len() < VHOSTS || known.contains(&one) { one } else { "other".into() }
    }

    /// Adds what is over to the sums.
    fn count(&mut self) {
        for known in self.known.iter_mut().filter(|k| k.ended) {
            let seconds = (known.end - known.start).max(0) as f64 / 1000.0;
            let more = seconds - known.counted.unwrap_or(0.0);
            if known.counted.is_none() || more > 0.0 {
                let sum = self.over.entry((known.vhost.clone(), known.severity)).or_default();
                *sum = (sum.0 + u64::from(known.counted.is_none()), sum.1 + more);
                known.counted = Some(seconds);
            }
        }
    }

    /// Forgets what is over and out of sight.
    fn forget(&mut self, since: Millis) {
        self.known.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
        let over = self.known.iter().filter(|k| k.ended).count();
        let mut too_many = self.known.len().saturating_sub(KNOWN).min(over);
        self.known.retain(|known| {
            let old = known.ended && known.end < since;
            let one_too_many = !old && known.ended && too_many > 0;
            too_many -= usize::from(one_too_many);
            !old && !one_too_many
        });
    }

    /// Whether this can have been written by a run.
    pub(super) fn is_sound(&self) -> bool {
        let time = |t: Millis| t.unsigned_abs() < 1 << 53;
        self.known.len() <= 4 * KNOWN
            && self.known.iter().all(|k| time(k.start) && time(k.end) && time(k.told))
            && self.known.iter().all(|k| k.counted.is_none_or(|s| s >= 0.0))
            && self.over.values().all(|(n, s)| *n < 1 << 53 && s.is_finite())
    }
}

/// Whether an incident is one that is known: of the same hosts, at the same time.
fn same(known: &Known, incident: &Incident) -> bool {
    let end = incident.end.unwrap_or(Millis::MAX);
    let hosts = known.hosts.is_empty()
        || incident.scope.hosts.is_empty()
        || known.hosts.iter().any(|h| incident.scope.hosts.contains(h));
    hosts && known.start <= end && incident.start <= known.end
}

/// Whether the end of an incident is one that will stay.
fn settled(incident: &Incident, now: Millis) -> bool {
    !incident.open_end && incident.end.is_some_and(|end| end + SETTLED <= now)
}

impl Known {
    fn new(incident: &Incident, now: Millis, vhost: String, news: &mut Vec<News>) -> Self {
        let ended = settled(incident, now);
        let kind = if ended { NewsKind::NewAndOver } else { NewsKind::New };
        news.push(News { id: incident.id.clone(), kind });
        Self {
            id: incident.id.clone(),
            severity: severity_of(incident),
            vhost,
            hosts: incident.scope.hosts.clone(),
            start: incident.start,
            end: incident.end.unwrap_or(now),
            open: incident.end.is_none(),
            told: now,
            continued: false,
            ended,
            counted: None,
        }
    }

    fn follow(&mut self, incident: &Incident, now: Millis, remind: bool, news: &mut Vec<News>) {
        // What is kept may begin behind its beginning.
        self.start = self.start.min(incident.start);
        self.end = incident.end.unwrap_or(now);
        self.open = incident.end.is_none();
        self.severity = self.severity.min(severity_of(incident));
        let over = settled(incident, now);
        let mut say = |kind| news.push(News { id: self.id.clone(), kind });
        let back = self.ended && !over;
        if over && !self.ended {
            say(NewsKind::Ended);
        } else if back || remind && !over && !self.continued && now - self.told >= STILL {
            self.continued = true;
            say(NewsKind::Continues);
        }
        self.ended = over;
    }
}

fn severity_of(incident: &Incident) -> u8 {
    SEVERITIES.iter().position(|s| *s == incident.severity).unwrap_or(SEVERITIES.len() - 1) as u8
}

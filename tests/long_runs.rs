//! An incident that runs over many runs is told once when it is new and once when it is over, under one name, whatever
//! befalls the machine, its clock and its logs meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::single_range_in_vec_init, reason = "one stretch of failures is a list of one")]

mod support;

use downtime::report::{NewsKind, Report};
use downtime::state::{KEEP, Session};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use support::{Lines, TEN, Traffic, gzip, options, text};

const HOUR: i64 = 3600;

/// A site that is read by runs, and what they told.
struct Site {
    dir: tempfile::TempDir,
    told: BTreeMap<String, Vec<NewsKind>>,
    last: Option<Report>,
    remind: bool,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("logs")).unwrap();
        Self { dir, told: BTreeMap::new(), last: None, remind: false }
    }

    fn logs(&self) -> PathBuf {
        self.dir.path().join("logs")
    }

    fn append(&self, name: &str, lines: &[(i64, String)]) {
        let mut file = fs::File::options().create(true).append(true).open(self.logs().join(name)).unwrap();
        file.write_all(&text(lines)).unwrap();
    }

    fn run(&mut self) {
        let mut session = Session::open(&self.dir.path().join("state")).unwrap().unwrap();
        session.remind(self.remind);
        let advance = session.advance(&options(&[self.logs()]), KEEP, false, &()).unwrap();
        session.commit().unwrap();
        let Some(advance) = advance else { return };
        assert!(advance.outcome.failures.is_empty(), "{:?}", advance.outcome.failures);
        for news in advance.news {
            self.told.entry(news.id).or_default().push(news.kind);
        }
        self.last = Some(advance.outcome.report);
    }

    /// Appends the lines of both logs in steps of twenty minutes, with a run after each; `between` comes before each step.
    fn live(&mut self, access: &Lines, error: &Lines, mut between: impl FnMut(&mut Self, i64) -> bool) {
        let (Some(first), Some(last)) = (access.first(), access.last()) else { return };
        let part = |lines: &Lines, at: Range<i64>| -> Lines {
            // The order of the lines is the log's, whatever its clock does.
            lines.iter().filter(|l| at.contains(&l.0)).cloned().collect()
        };
        for from in (first.0..=last.0).step_by(1200) {
            let runs = between(self, from);
            self.append("access.log", &part(access, from..from + 1200));
            self.append("error.log", &part(error, from..from + 1200));
            if runs {
                self.run();
            }
        }
        self.run();
    }

    /// The one incident that was told, new once and ended once: from, to, failed.
    fn one(&self) -> (i64, i64, u64) {
        assert_eq!(self.told.len(), 1, "{:?}", self.told);
        let (id, kinds) = self.told.iter().next().unwrap();
        assert_eq!(kinds, &[NewsKind::New, NewsKind::Ended], "{id}");
        let incident = self.last.as_ref().unwrap().incidents.iter().find(|i| i.id == *id);
        let incident = incident.expect("it is kept");
        (incident.start / 1000 - TEN, incident.end.unwrap() / 1000 - TEN, incident.impact.failed)
    }
}

fn traffic(seconds: i64, outage: Range<i64>) -> Traffic {
    Traffic { seconds, rate: 1, outages: vec![outage], ..Traffic::default() }
}

fn near(a: i64, b: i64) -> bool {
    (a - b).abs() <= 1
}

#[test]
fn an_outage_of_hours_is_told_when_it_begins_and_when_it_ends() {
    let made = traffic(6 * HOUR, HOUR..5 * HOUR);
    let (access, error) = (made.access(), made.error());
    let mut site = Site::new();
    site.live(&access, &error, |_, _| true);
    let (from, to, failed) = site.one();
    assert!(near(from, HOUR) && near(to, 5 * HOUR), "{from} {to}");
    assert_eq!(failed, 4 * HOUR as u64);
    // Who asks for it hears of it once more.
    let mut site = Site { remind: true, ..Site::new() };
    site.live(&access, &error, |_, _| true);
    let kinds: Vec<_> = site.told.values().cloned().collect();
    assert_eq!(kinds, [[NewsKind::New, NewsKind::Continues, NewsKind::Ended]]);
}

#[test]
fn an_outage_that_began_before_the_first_run_is_one() {
    let made = traffic(4 * HOUR, -10..40 * 60);
    let mut site = Site::new();
    site.live(&made.access(), &made.error(), |_, _| true);
    let (_, to, failed) = site.one();
    assert!(near(to, 40 * 60), "{to}");
    assert_eq!(failed, 40 * 60);
    assert!(site.last.unwrap().incidents[0].open_start);
}

/// cron was broken for hours while the site went on, and the outage began and ended meanwhile, or only began.
#[test]
fn runs_that_were_missed_lose_no_news() {
    let made = traffic(6 * HOUR, 2 * HOUR..4 * HOUR);
    for missed in [HOUR..3 * HOUR, 3 * HOUR..5 * HOUR] {
        let mut site = Site::new();
        site.live(&made.access(), &made.error(), |_, at| !missed.contains(&(at - TEN)));
        let (from, to, _) = site.one();
        assert!(near(from, 2 * HOUR) && near(to, 4 * HOUR), "{from} {to}");
    }
    let mut site = Site::new();
    site.live(&made.access(), &made.error(), |_, at| !(HOUR..5 * HOUR).contains(&(at - TEN)));
    assert_eq!(site.told.values().cloned().collect::<Vec<_>>(), [[NewsKind::NewAndOver]]);
}

/// Rotated in the middle of an outage, with `delaycompress`, between two runs, and again later.
#[test]
fn rotation_in_the_middle_makes_one_incident() {
    let made = traffic(6 * HOUR, 2 * HOUR..4 * HOUR);
    let mut site = Site::new();
    site.live(&made.access(), &made.error(), |site, at| {
        if matches!((at - TEN) / 1200, 7 | 10 | 16) {
            for name in ["access.log", "error.log"] {
                let [live, first, second] =
                    ["", ".1", ".2.gz"].map(|end| site.logs().join(format!("{name}{end}")));
                if let Ok(old) = fs::read(&first) {
                    fs::write(&second, gzip(&old)).unwrap();
                }
                fs::rename(&live, &first).unwrap();
            }
        }
        true
    });
    let (from, to, failed) = site.one();
    assert!(near(from, 2 * HOUR) && near(to, 4 * HOUR), "{from} {to}");
    assert_eq!(failed, 2 * HOUR as u64);
}

/// The stamps turn from +01:00 to +02:00 in the middle, and the error log's clock, which has no zone, jumps.
#[test]
fn a_change_of_daylight_saving_time_makes_no_second_incident() {
    let made = traffic(6 * HOUR, HOUR + 1800..3 * HOUR);
    let turn = made.start + 2 * HOUR;
    let at = |offset: i64| Traffic { offset, ..made.clone() };
    let both = |before: Lines, after: Lines| -> Lines {
        let front = before.into_iter().filter(|l| l.0 < turn);
        front.chain(after.into_iter().filter(|l| l.0 >= turn)).collect()
    };
    let access = both(at(60).access(), at(120).access());
    let error = both(at(60).error(), at(120).error());
    let mut site = Site::new();
    site.live(&access, &error, |_, _| true);
    let (from, to, failed) = site.one();
    assert!(near(from, HOUR + 1800) && near(to, 3 * HOUR), "{from} {to}");
    assert_eq!(failed, (HOUR + 1800) as u64);
}

/// The clock is set back by twenty minutes in the outage: the log says some minutes twice.
#[test]
fn a_clock_that_is_set_back_in_an_outage_makes_one_incident() {
    let made = traffic(5 * HOUR, HOUR..2 * HOUR);
    let (access, mut site) = (made.access(), Site::new());
    let cut = HOUR + 2400;
    for (from, to) in
        [(0, HOUR), (HOUR, cut), (cut - 1200, 2 * HOUR), (2 * HOUR, 3 * HOUR), (3 * HOUR, 5 * HOUR)]
    {
        let part: Lines = access.iter().filter(|l| (from..to).contains(&(l.0 - TEN))).cloned().collect();
        site.append("access.log", &part);
        site.run();
    }
    let (from, to, failed) = site.one();
    assert!(near(from, HOUR) && near(to, 2 * HOUR), "{from} {to}");
    assert_eq!(failed, HOUR as u64 + 1200);
}

/// The machine was off for a day: the logs are silent, and so were the runs. What was over before stays told once, and
/// the silence is told once.
#[test]
fn a_day_without_the_machine_is_told_once() {
    let before = traffic(3 * HOUR, HOUR..HOUR + 900);
    let after = Traffic { start: TEN + 27 * HOUR, outages: Vec::new(), ..traffic(3 * HOUR, 0..0) };
    let mut site = Site::new();
    site.live(&before.access(), &before.error(), |_, _| true);
    let told = site.told.clone();
    assert_eq!(told.values().cloned().collect::<Vec<_>>(), [[NewsKind::New, NewsKind::Ended]]);
    site.live(&after.access(), &Lines::new(), |_, _| true);
    for (id, kinds) in &told {
        assert_eq!(site.told.get(id), Some(kinds), "what was over was told again");
    }
    let new: Vec<_> =
        site.told.iter().filter(|(id, _)| !told.contains_key(*id)).map(|t| t.1.clone()).collect();
    assert!(new.len() <= 1 && new.iter().all(|k| *k == [NewsKind::NewAndOver]), "{:?}", site.told);
}

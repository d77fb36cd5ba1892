use super::*;
use crate::report::Input;
use crate::timeline::{CLASSES, Collected};

/// `(second, good, failed)` of a log.
fn log(seconds: impl Iterator<Item = (Second, u16, u16)>) -> (Report, Timeline) {
    let (mut timeline, mut collected) = (Timeline::default(), Collected::default());
    for (second, good, failed) in seconds {
        let mut counts = [0; CLASSES];
        (counts[0], counts[5]) = (good, failed);
        collected.runs.push((second, counts));
        if failed > 0 {
            collected.failed.push((second, u32::from(failed)));
        }
    }
    timeline.absorb(&mut collected);
    (Report { inputs: vec![Input::default()], ..Report::default() }, timeline)
}

fn judge(seconds: impl Iterator<Item = (Second, u16, u16)>, window: (Second, Second)) -> Verdict {
    let (report, timeline) = log(seconds);
    verdict(&report, &timeline, Window { start: window.0, end: window.1 }, &Limits::default())
}

#[test]
fn a_log_that_goes_on_is_ok_and_one_that_stopped_unknown() {
    let busy = |to| (0..to).map(|s| (s, 2, 0));
    assert_eq!(judge(busy(7200), (6300, 7200)).state, State::Ok);
    let stopped = judge(busy(6000), (6300, 7200));
    assert_eq!(stopped.state, State::Unknown);
    assert!(stopped.summary.contains("20 min before the end"), "{}", stopped.summary);
    // nginx may hold lines back for some seconds.
    assert_eq!(judge(busy(7160), (6300, 7200)).state, State::Ok);
}

#[test]
fn silence_is_nothing_strange_where_requests_are_rare() {
    let rare = |step: usize| (0..20_000).step_by(step).map(|s| (s, 1, 0));
    assert_eq!(judge(rare(1800), (19_800, 20_700)).state, State::Ok);
    assert_eq!(judge(rare(30), (19_800, 20_700)).state, State::Unknown);
}

#[test]
fn a_log_that_begins_inside_the_window_cannot_speak_for_it() {
    let young = judge((7000..7200).map(|s| (s, 2, 0)), (6300, 7200));
    assert_eq!(young.state, State::Unknown);
    assert!(young.summary.contains("inside the window"), "{}", young.summary);
    assert_eq!(judge(std::iter::empty(), (0, 900)).state, State::Unknown);
}

#[test]
fn limits_rule_the_failed_share() {
    let (report, timeline) = log((0..7200).map(|s| (s, 97, 3)));
    let of = |w: &str, c: &str| {
        let limits = Limits { warning: w.parse().ok(), critical: c.parse().ok(), ..Limits::default() };
        verdict(&report, &timeline, Window { start: 6300, end: 7200 }, &limits)
    };
    assert_eq!(of("5", "10").state, State::Ok);
    assert_eq!(of("2", "10").state, State::Warning);
    let critical = of("1", "2");
    assert_eq!((critical.state, critical.requests, critical.failed), (State::Critical, 90_000, 2700));
    let limits = Limits { warning: "1".parse().ok(), critical: "2".parse().ok(), ..Limits::default() };
    let text = critical.text(&limits);
    assert!(text.starts_with("DOWNTIME CRITICAL - "), "{text}");
    assert!(text.contains(" | failed=3.000%;1;2;0;100 down=0s;;;0 requests=90000;;;0\n"), "{text}");
}

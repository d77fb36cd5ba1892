//! Cases with a name: what must be said of each.

use super::simulator::{Log, Random};
use super::{Scene, run};
use crate::detect::{ErrorTick, Kind, Mark, MarkKind, Options, Reason, SilenceKind, Tick};
use crate::time::Window;

fn tick(second: i64, good: u32, failed: u32) -> Tick {
    Tick { second, good, neutral: 0, failed }
}

/// One request every eight seconds.
fn sparse(minutes: i64, failing: impl Fn(i64) -> bool) -> Vec<Tick> {
    (0..minutes * 60 / 8)
        .map(|i| i * 8)
        .map(|t| tick(t, u32::from(!failing(t)), u32::from(failing(t))))
        .collect()
}

#[test]
fn seventeen_failures_in_three_quiet_minutes() {
    let found = run(&sparse(19, |t| (600..736).contains(&t))).anomalies;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].start, found[0].end, found[0].failed), (600, Some(729), 17));
    assert_eq!(found[0].start_bounds, (592, 600));
    assert_eq!(found[0].end_bounds, (728, 736));
}

#[test]
fn single_failures_in_quiet_traffic_are_no_outage() {
    assert!(run(&sparse(15, |t| t == 304 || t == 720)).anomalies.is_empty());
    assert!(run(&sparse(600, |t| t % 400 == 0)).anomalies.is_empty());
}

#[test]
fn a_log_of_which_nine_tenths_fail() {
    let log = Log::new(5, 600, 10.0).with(40, 580, 1.0, 0.8);
    let found = run(&log.ticks()).anomalies;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].start - log.origin, found[0].end.unwrap() - log.origin), (40, 580));
}

#[test]
fn logs_that_begin_or_end_inside() {
    let log = Log::new(6, 1200, 8.0).with(0, 200, 1.0, 1.0).with(1000, 1200, 0.9, 1.0);
    let found = run(&log.ticks()).anomalies;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].open_start && !found[0].open_end);
    assert!(!found[1].open_start && found[1].open_end && found[1].end.is_none());
    assert_eq!(found[0].end, Some(log.origin + 200));
}

#[test]
fn a_log_that_fails_all_through() {
    let log = Log::new(7, 900, 4.0).with(0, 900, 1.0, 1.0);
    let found = run(&log.ticks()).anomalies;
    assert_eq!(found.len(), 1);
    assert!(found[0].open_start && found[0].open_end);
}

#[test]
fn a_blip_is_a_remark() {
    let mut ticks = Log::new(8, 3600, 50.0).ticks();
    for t in &mut ticks[1000..1002] {
        (t.good, t.failed) = (0, t.good);
    }
    let found = run(&ticks);
    assert!(found.anomalies.is_empty());
    assert!(found.remarks.iter().any(|r| r.reason == Reason::Blip), "{:#?}", found.remarks);
}

#[test]
fn flaps_are_one_and_far_outages_two() {
    let mut log = Log::new(9, 7200, 10.0);
    for i in 0..6 {
        log = log.with(1000 + i * 40, 1025 + i * 40, 1.0, 1.0);
    }
    log = log.with(4000, 4020, 1.0, 1.0);
    let found = run(&log.ticks()).anomalies;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!((found[0].start - log.origin, found[0].end.unwrap() - log.origin), (1000, 1225));
    assert!(found[0].phases.len() >= 6);
}

#[test]
fn silence_with_its_bounds() {
    let log = Log::new(10, 7200, 12.0).with(3000, 3060, 0.0, 0.0);
    let found = run(&log.ticks()).anomalies;
    assert_eq!(found.len(), 1, "{found:#?}");
    let a = &found[0];
    assert_eq!(a.kind, Kind::Silence(SilenceKind::Unknown));
    assert!((a.start - log.origin - 3000).abs() <= 1 && (a.end.unwrap() - log.origin - 3060).abs() <= 1);
    let lost = a.expected_requests.unwrap();
    assert!(lost.low < 720.0 && 720.0 < lost.high && lost.value > 150.0, "{lost:?}");
    assert!(a.longest_ordinary_gap.is_some_and(|g| g < 5));
}

#[test]
fn a_hole_in_the_files_is_no_silence() {
    let log = Log::new(11, 7200, 5.0).with(3000, 4000, 0.0, 0.0);
    let o = log.origin;
    let covered = [Window { start: o, end: o + 3000 }, Window { start: o + 4000, end: o + 7200 }];
    let ticks = log.ticks();
    assert!(Scene { covered: &covered, ..Scene::default() }.run(Some(&ticks)).anomalies.is_empty());
    assert_eq!(run(&ticks).anomalies.len(), 1);
}

#[test]
fn silence_to_the_end_of_what_is_covered_is_open() {
    let log = Log::new(12, 3600, 5.0);
    let covered = [Window { start: log.origin, end: log.origin + 3900 }];
    let found = Scene { covered: &covered, ..Scene::default() }.run(Some(&log.ticks())).anomalies;
    assert_eq!(found.len(), 1);
    assert!(found[0].open_end && found[0].end.is_none());
}

#[test]
fn nginx_says_itself_that_it_was_down() {
    let log = Log::new(13, 3600, 5.0).with(1000, 1100, 0.0, 0.0);
    let mark = |second: i64, kind| Mark { second: log.origin + second, kind };
    let marks = [mark(1000, MarkKind::Stop), mark(1040, MarkKind::StartFailed), mark(1099, MarkKind::Start)];
    let found = Scene { marks: &marks, ..Scene::default() }.run(Some(&log.ticks())).anomalies;
    assert_eq!(found.len(), 1, "{found:#?}");
    let a = &found[0];
    assert_eq!(a.kind, Kind::Silence(SilenceKind::Down));
    assert_eq!((a.start - log.origin, a.end.unwrap() - log.origin), (1000, 1099));
    // Killed: a start without a stop.
    let found = Scene { marks: &marks[2..], ..Scene::default() }.run(Some(&log.ticks())).anomalies;
    assert_eq!(
        (found.len(), found[0].kind, found[0].started_at),
        (1, Kind::Silence(SilenceKind::Down), Some(log.origin + 1099))
    );
}

#[test]
fn logs_that_begin_with_a_start_were_not_down_before() {
    let log = Log::new(13, 3600, 1.0);
    let marks = [Mark { second: log.origin - 6, kind: MarkKind::Start }];
    let covered = [Window { start: log.origin - 6, end: log.origin + 3600 }];
    let found = Scene { marks: &marks, covered: &covered, ..Scene::default() }.run(Some(&log.ticks()));
    assert!(found.anomalies.is_empty(), "{:#?}", found.anomalies);
}

#[test]
fn a_quick_restart_and_an_upgrade_are_no_outage() {
    let log = Log::new(14, 3600, 5.0);
    let ticks: Vec<Tick> =
        log.ticks().into_iter().filter(|t| !(1000..1003).contains(&(t.second - log.origin))).collect();
    let mark = |second: i64, kind| Mark { second: log.origin + second, kind };
    let marks = [mark(1000, MarkKind::Stop), mark(1001, MarkKind::Start)];
    let found = Scene { marks: &marks, ..Scene::default() }.run(Some(&ticks));
    assert!(found.anomalies.is_empty(), "{:#?}", found.anomalies);
    assert!(found.remarks.iter().any(|r| r.reason == Reason::QuickRestart));
    let marks =
        [mark(2000, MarkKind::Upgrade), mark(2000, MarkKind::Start), mark(2003, MarkKind::GracefulStop)];
    assert!(Scene { marks: &marks, ..Scene::default() }.run(Some(&ticks)).anomalies.is_empty());
}

#[test]
fn failing_and_silence_that_touch_are_one() {
    let log = Log::new(15, 7200, 8.0).with(2000, 2090, 0.0, 0.0).with(2090, 2200, 1.0, 1.0);
    let found = run(&log.ticks()).anomalies;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].kind, Kind::Failing);
    assert!((found[0].start - log.origin - 2000).abs() <= 1);
    assert_eq!(found[0].end, Some(log.origin + 2200));
    assert!(found[0].phases.len() >= 2);
}

#[test]
fn a_dip_is_found_although_probes_go_on() {
    let log = Log::new(16, 1200, 8.0).with(500, 650, 0.0, 0.04);
    let found = run(&log.ticks()).anomalies;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!((found[0].start - log.origin - 500).abs() <= 3, "{found:#?}");
    assert!((found[0].end.unwrap() - log.origin - 650).abs() <= 3);
    assert!(matches!(found[0].kind, Kind::Silence(SilenceKind::Dip | SilenceKind::Unknown)));
}

#[test]
fn a_flash_crowd_and_a_slow_decline_are_fine() {
    let mut r = Random(17);
    let rate = |t: i64| match t {
        300..400 => 40.0,
        400.. => (8.0 * (1.0 - (t - 400) as f64 / 350.0)).max(1.6),
        _ => 8.0,
    };
    let ticks: Vec<Tick> = (0..720).map(|t| tick(t, r.poisson(rate(t)), 0)).filter(|t| t.good > 0).collect();
    let found = run(&ticks);
    assert!(found.anomalies.is_empty(), "{:#?}", found.anomalies);
}

#[test]
fn a_shop_that_closes_at_night() {
    let mut r = Random(18);
    let open = |t: i64| (28_800..72_000).contains(&(t % 86_400));
    let ticks: Vec<Tick> = (0..5 * 86_400)
        .map(|t| tick(t, if open(t) { r.poisson(1.0) } else { 0 }, 0))
        .filter(|t| t.good > 0)
        .collect();
    let found = run(&ticks);
    assert!(found.anomalies.is_empty(), "{:#?}", found.anomalies);
    assert!(found.remarks.iter().any(|r| r.reason == Reason::Habitual));
}

#[test]
fn a_limited_client_is_no_outage() {
    let mut ticks = Log::new(19, 900, 8.0).ticks();
    let mut errors = Vec::new();
    for t in ticks.iter_mut().skip(300).take(100) {
        t.failed += 45;
        errors.push(ErrorTick { second: t.second, class: 100, count: 45 });
    }
    let found = Scene { errors: &errors, ..Scene::default() }.run(Some(&ticks));
    assert!(found.anomalies.is_empty(), "{:#?}", found.anomalies);
    assert!(found.remarks.iter().any(|r| r.reason == Reason::Limited && r.failed == 4500));
    assert_eq!(run(&ticks).anomalies.len(), 1);
}

#[test]
fn errors_that_no_client_saw_stand_alone() {
    let log = Log::new(20, 3600, 8.0);
    let errors: Vec<ErrorTick> =
        (1000..1200).step_by(3).map(|t| ErrorTick { second: log.origin + t, class: 1, count: 2 }).collect();
    let found = Scene { errors: &errors, ..Scene::default() }.run(Some(&log.ticks())).anomalies;
    assert_eq!((found.len(), found[0].kind), (1, Kind::ErrorsOnly));
    assert_eq!((found[0].start - log.origin, found[0].end.unwrap() - log.origin), (1000, 1199));
    assert_eq!(found[0].errors.unwrap().records, 134);
    // Without an access log they are all there is.
    let found = Scene { errors: &errors, ..Scene::default() }.run(None).anomalies;
    assert_eq!((found.len(), found[0].start - log.origin, found[0].open_start), (1, 1000, false));
    // That the file begins with them does not mean that they began before it; that it ends with them leaves their end open.
    let dense: Vec<ErrorTick> =
        (1000..1200).map(|t| ErrorTick { second: log.origin + t, class: 1, count: 2 }).collect();
    let covered = [Window { start: log.origin + 1000, end: log.origin + 1200 }];
    let found = Scene { errors: &dense, covered: &covered, ..Scene::default() }.run(None).anomalies;
    assert_eq!((found.len(), found[0].start - log.origin), (1, 1000));
    assert_eq!((found[0].open_start, found[0].open_end), (false, true));
    // A record now and then, as long as the file goes, may be its usual.
    let found = Scene { errors: &errors, covered: &covered, ..Scene::default() }.run(None).anomalies;
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn errors_of_an_outage_join_it() {
    let log = Log::new(21, 3600, 8.0).with(1000, 1100, 1.0, 1.0);
    let errors: Vec<ErrorTick> =
        (992..1100).map(|t| ErrorTick { second: log.origin + t, class: 1, count: 2 }).collect();
    let found = Scene { errors: &errors, ..Scene::default() }.run(Some(&log.ticks())).anomalies;
    assert_eq!((found.len(), found[0].start - log.origin), (1, 1000));
    assert_eq!(found[0].errors.map(|e| e.start - log.origin), Some(992));
}

#[test]
fn only_the_words_of_nginx() {
    let marks = [
        Mark { second: 100, kind: MarkKind::Stop },
        Mark { second: 130, kind: MarkKind::StartFailed },
        Mark { second: 400, kind: MarkKind::Start },
        Mark { second: 900, kind: MarkKind::Stop },
        Mark { second: 901, kind: MarkKind::Start },
    ];
    let found = Scene { marks: &marks, ..Scene::default() }.run(None);
    assert_eq!(found.anomalies.len(), 1);
    assert_eq!((found.anomalies[0].start, found.anomalies[0].end), (100, Some(400)));
}

#[test]
fn a_hang_is_dated_before_its_first_line() {
    let mut ticks = Vec::new();
    for t in 0..3600 {
        let hung = (1000..1200).contains(&t);
        // A few pages need no upstream and go on.
        let good = if hung { u32::from(t % 10 == 0) } else { 8 };
        let failed = if (1060..1260).contains(&t) { 7 } else { 0 };
        if good + failed > 0 {
            ticks.push(tick(t, good, failed));
        }
    }
    let options = Options { arrival_known: false, ..Options::default() };
    let found = Scene { options, timed_out: true, ..Scene::default() }.run(Some(&ticks)).anomalies;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!((found[0].start - 1000).abs() <= 1 && (found[0].end.unwrap() - 1200).abs() <= 1, "{found:#?}");
}

#[test]
fn a_rise_of_the_traffic_does_not_end_what_a_third_of_the_requests_meet() {
    // One of three peers hangs; in the second half of it twice as many ask.
    let mut ticks = Vec::new();
    for t in 0..1200 {
        let hung = (600..670).contains(&t);
        let good = if t >= 635 { 3 } else { 2 };
        let failed = u32::from(hung && t % 2 == 0);
        ticks.push(tick(t, good - failed, failed));
    }
    let options = Options { arrival_known: false, ..Options::default() };
    let found = Scene { options, timed_out: true, ..Scene::default() }.run(Some(&ticks)).anomalies;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!((found[0].end.unwrap() - 669).abs() <= 2, "{found:#?}");
}

#[test]
fn hostile_counts_do_no_harm() {
    let mut r = Random(22);
    let mut wild = vec![
        tick(i64::MIN + 1, 5, 5),
        tick(-5, u32::MAX, u32::MAX),
        tick(0, 0, 0),
        tick(1, 0, u32::MAX),
        tick(i64::MAX - 2, u32::MAX, 1),
    ];
    run(&wild);
    wild.extend(
        (0..2000).map(|_| tick((r.next() % 5000) as i64, (r.next() % 4) as u32, (r.next() % 4) as u32)),
    );
    wild.sort_by_key(|t| t.second);
    run(&wild);
    for n in 0..4 {
        run(&wild[..n]);
    }
    let marks: Vec<Mark> = (0..100)
        .map(|i| Mark {
            second: i * 7 - 300,
            kind: if i % 3 == 0 { MarkKind::Stop } else { MarkKind::Start },
        })
        .collect();
    let errors: Vec<ErrorTick> = (0..100)
        .map(|i| ErrorTick { second: i * i * 1_000_000_007, class: (i % 3) as u16, count: u32::MAX })
        .collect();
    Scene { marks: &marks, errors: &errors, ..Scene::default() }.run(Some(&wild));
    Scene { marks: &marks, errors: &errors, ..Scene::default() }.run(None);
    assert!(run(&[]).anomalies.is_empty());
}

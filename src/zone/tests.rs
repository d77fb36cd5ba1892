use super::*;
use proptest::prelude::*;

/// 2026-03-01T09:00:00Z.
const T: Second = 1_772_355_600;
/// Europe/Berlin goes to +02:00.
const FORTH: Second = 1_774_746_000;
/// And back to +01:00.
const BACK: Second = 1_792_890_000;

fn pair(
    times: impl Iterator<Item = Second>,
    offset: impl Fn(Second) -> i64,
) -> (Vec<Sighting>, Vec<Sighting>) {
    let mut both = (Vec::new(), Vec::new());
    for (n, time) in times.enumerate() {
        let key = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        both.0.push(Sighting { key, time });
        both.1.push(Sighting { key, time: time + offset(time) * 60 - (n % 2) as i64 });
    }
    both
}

#[test]
fn every_offset_is_found() {
    for offset in (-12 * 60..=14 * 60).step_by(15) {
        let (access, error) = pair((0..20).map(|n| T + n * 37), |_| offset);
        let plan = infer(&access, &error, &[], Times::default);
        assert!(plan.sure, "{offset}: {}", plan.how);
        assert_eq!(plan.utc(T + offset * 60, 0), T, "{offset}");
    }
}

#[test]
fn changes_of_daylight_saving_time_are_found() {
    for (change, old, new) in [(FORTH, 60, 120), (BACK, 120, 60)] {
        let offset = |t| if t < change { old } else { new };
        let (access, error) = pair((-40..40).map(|n| change + n * 600 + 7), offset);
        for steps in [vec![], vec![(change - 90_000, old as i16), (change, new as i16)]] {
            let plan = infer(&access, &error, &steps, Times::default);
            assert!(plan.sure && plan.steps.len() == 2, "{plan:?}");
            let mut plan = plan;
            let stamps: Vec<_> = access.iter().map(|s| s.time + offset(s.time) * 60).zip(0..).collect();
            plan.repeat(&stamps.iter().map(|s| (s.1, s.0)).collect::<Vec<_>>(), &access, &error);
            for (s, (local, byte)) in access.iter().zip(stamps) {
                assert_eq!(plan.utc(local, byte), s.time, "{plan:?}");
            }
        }
    }
}

#[test]
fn an_access_log_in_utc_does_not_decide() {
    let (access, error) = pair((0..10).map(|n| T + n * 61), |_| -300);
    let plan = infer(&access, &error, &[(T, 0)], Times::default);
    assert_eq!((plan.first_offset(), plan.sure), (-300, true));
}

#[test]
fn too_little_is_not_believed() {
    let (access, error) = pair([T, T + 9].into_iter(), |_| 330);
    let plan = infer(&access, &error, &[(T, 120)], Times::default);
    assert_eq!((plan.first_offset(), plan.sure), (120, false));
    let plan = infer(&access, &error, &[], Times::default);
    assert_eq!((plan.first_offset(), plan.sure), (0, false));
    assert_eq!(infer(&[], &[], &[], Times::default).utc(T, 0), T);
}

#[test]
fn a_probe_does_not_win() {
    // One request every second, failing all the time: it fits every offset equally well.
    let probe = |offset: i64| (0..7200).map(move |n| Sighting { key: 7, time: T + n + offset });
    let (mut access, mut error) = pair((0..5).map(|n| T + n * 777), |_| 120);
    access.extend(probe(0));
    error.extend(probe(7200));
    assert_eq!(infer(&access, &error, &[], Times::default).first_offset(), 120);
    let only: Vec<_> = probe(0).collect();
    assert!(!infer(&only, &only, &[], Times::default).sure);
    // A job that runs each quarter of an hour fits many offsets.
    let job: Vec<_> = (0..12).map(|n| Sighting { key: 1, time: T + n * 900 }).collect();
    assert!(!infer(&job, &job, &[], Times::default).sure);
}

#[test]
fn retries_and_long_requests_count_once() {
    let (access, mut error) = pair((0..6).map(|n| T + n * 100), |_| 60);
    for s in error.clone() {
        error.push(Sighting { time: s.time - 60, ..s });
        error.push(Sighting { time: s.time - 1, ..s });
    }
    let plan = infer(&access, &error, &[], Times::default);
    assert_eq!((plan.first_offset(), plan.sure), (60, true));
}

#[test]
fn zones_can_be_named() {
    let all = Window { start: T, end: T + 400 * 86_400 };
    assert_eq!(named("+05:30", all).unwrap().utc(19_800, 0), 0);
    assert_eq!(named("UTC", all).unwrap().steps, [(i64::MIN, 0)]);
    let berlin = named("Europe/Berlin", all).unwrap();
    assert_eq!(berlin.utc(FORTH - 1 + 3600, 0), FORTH - 1);
    assert_eq!(berlin.utc(FORTH + 7200, 0), FORTH);
    // The skipped hour, which no clock shows, comes out in order.
    assert_eq!(berlin.utc(FORTH + 3600 + 60, 0), FORTH + 60);
    assert!(matches!(named("Berlin/Europe", all), Err(Error::Usage(_))));
    assert!(named("+2", Window::ALL).is_err());
    assert!(named("America/Sao_Paulo", Window::ALL).unwrap().steps.len() > 20);
}

proptest! {
    #[test]
    fn nothing_overflows(a in prop::collection::vec((0u64..4, any::<i64>()), 0..40), e in prop::collection::vec((0u64..4, any::<i64>()), 0..40), stamps in prop::collection::vec(any::<(u64, i64)>(), 0..20)) {
        let list = |v: &[(u64, i64)]| v.iter().map(|&(key, time)| Sighting { key, time }).collect::<Vec<_>>();
        let mut plan = infer(&list(&a), &list(&e), &[], Times::default);
        plan.repeat(&stamps, &list(&a), &list(&e));
        for (byte, local) in stamps {
            let window = Window { start: local, end: local.saturating_add(byte as i64 & 0xff_ffff) };
            let _ = (plan.utc(local, byte), plan.local_window(window), plan.repeats(local, local), describe(&plan));
        }
    }
}

#[test]
fn local_and_utc_undo_each_other_across_steps() {
    let plan = named("Europe/Paris", Window { start: 1_770_000_000, end: 1_800_000_000 }).unwrap();
    // Both sides of the day on which clocks go forward, and of that on which they go back.
    for utc in [1_774_700_000, 1_774_745_999, 1_774_746_000, 1_774_800_000, 1_792_800_000, 1_793_000_000] {
        assert_eq!(plan.utc(plan.local(utc), 0), utc, "{utc}");
    }
    assert_eq!(plan.local(1_770_000_000) - 1_770_000_000, 3600);
}

/// Stamps of a file as (byte, local), from (UTC, offset in minutes).
fn stamps(of: &[(Second, i64)]) -> Vec<(u64, Second)> {
    of.iter().zip(0..).map(|((utc, offset), byte)| (byte, utc + offset * 60)).collect()
}

#[test]
fn the_hour_that_comes_twice_is_told_by_the_place_in_the_file() {
    let all = Window { start: T, end: T + 400 * 86_400 };
    // Across the change, with and without records on both sides of it that share their stamps.
    for seconds in
        [vec![-25, -1, 0, 51], vec![-3000, -1800, -60, 600, 1800, 2999], vec![-7200, -1800, 1200, 7200]]
    {
        let mut berlin = named("Europe/Berlin", all).unwrap();
        let utcs: Vec<Second> = seconds.iter().map(|s| BACK + s).collect();
        let file: Vec<_> = utcs.iter().map(|&t| (t, if t < BACK { 120 } else { 60 })).collect();
        berlin.repeat(&stamps(&file), &[], &[]);
        let placed: Vec<Second> =
            stamps(&file).into_iter().map(|(byte, local)| berlin.utc(local, byte)).collect();
        assert_eq!(placed, utcs);
        let local = berlin.local_window(Window { start: utcs[0], end: utcs[utcs.len() - 1] + 1 });
        assert!(stamps(&file).iter().all(|s| local.contains(s.1)), "{seconds:?}: {local:?}");
    }
}

#[test]
fn where_the_clock_is_not_seen_to_fall_the_access_log_tells() {
    let all = Window { start: T, end: T + 400 * 86_400 };
    for (from, offset) in [(BACK - 3000, 120), (BACK + 600, 60)] {
        let mut berlin = named("Europe/Berlin", all).unwrap();
        let utcs: Vec<Second> = (0..20).map(|n| from + 30 * n).collect();
        let (access, error) = pair(utcs.iter().copied(), |_| offset);
        let file = stamps(&utcs.iter().map(|&t| (t, offset)).collect::<Vec<_>>());
        berlin.repeat(&file, &access, &error);
        let placed: Vec<Second> = file.into_iter().map(|(byte, local)| berlin.utc(local, byte)).collect();
        assert_eq!(placed, utcs);
    }
}

#[test]
fn without_any_pair_the_time_of_both_logs_tells_where_only_one_offset_fits() {
    let window = |start, length| Window { start, end: start + length };
    let plan =
        |access, error| infer(&[], &[], &[], || Times { spans: Some((access, error)), ..Times::default() });
    // Its start is told two seconds before the first request.
    let placed = plan(window(T, 300), window(T + 3600 - 2, 303));
    assert_eq!((placed.first_offset(), placed.assumed), (60, false));
    assert_eq!(plan(window(T, 86_400), window(T - 18_000 - 2, 86_400)).first_offset(), -300);
    // A few records in a day fit many offsets, those of another day none.
    for error in [window(T + 3600, 600), window(T + 40 * 86_400, 300), window(T + 3600, 90_000)] {
        assert!(plan(window(T, 86_400), error).assumed, "{error:?}");
    }
    // What the access log's own stamps say goes first.
    let own = infer(&[], &[], &[(T, 120)], || Times {
        spans: Some((window(T, 300), window(T + 3600, 300))),
        ..Times::default()
    });
    assert_eq!((own.first_offset(), own.assumed), (120, false));
}

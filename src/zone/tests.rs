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
        let plan = infer(&access, &error, &[]);
        assert!(plan.sure, "{offset}: {}", plan.how);
        assert_eq!(plan.utc(T + offset * 60, None), T, "{offset}");
    }
}

#[test]
fn changes_of_daylight_saving_time_are_found() {
    for (change, old, new) in [(FORTH, 60, 120), (BACK, 120, 60)] {
        let offset = |t| if t < change { old } else { new };
        let (access, error) = pair((-40..40).map(|n| change + n * 600 + 7), offset);
        for steps in [vec![], vec![(change - 90_000, old as i16), (change, new as i16)]] {
            let plan = infer(&access, &error, &steps);
            assert!(plan.sure && plan.steps.len() == 2, "{plan:?}");
            let mut previous = None;
            for s in &access {
                let utc = plan.utc(s.time + offset(s.time) * 60, previous);
                assert_eq!(utc, s.time, "{plan:?}");
                previous = Some(utc);
            }
        }
    }
}

#[test]
fn an_access_log_in_utc_does_not_decide() {
    let (access, error) = pair((0..10).map(|n| T + n * 61), |_| -300);
    let plan = infer(&access, &error, &[(T, 0)]);
    assert_eq!((plan.first_offset(), plan.sure), (-300, true));
}

#[test]
fn too_little_is_not_believed() {
    let (access, error) = pair([T, T + 9].into_iter(), |_| 330);
    let plan = infer(&access, &error, &[(T, 120)]);
    assert_eq!((plan.first_offset(), plan.sure), (120, false));
    let plan = infer(&access, &error, &[]);
    assert_eq!((plan.first_offset(), plan.sure), (0, false));
    assert_eq!(infer(&[], &[], &[]).utc(T, None), T);
}

#[test]
fn a_probe_does_not_win() {
    // One request every second, failing all the time: it fits every offset equally well.
    let probe = |offset: i64| (0..7200).map(move |n| Sighting { key: 7, time: T + n + offset });
    let (mut access, mut error) = pair((0..5).map(|n| T + n * 777), |_| 120);
    access.extend(probe(0));
    error.extend(probe(7200));
    assert_eq!(infer(&access, &error, &[]).first_offset(), 120);
    let only: Vec<_> = probe(0).collect();
    assert!(!infer(&only, &only, &[]).sure);
    // A job that runs each quarter of an hour fits many offsets.
    let job: Vec<_> = (0..12).map(|n| Sighting { key: 1, time: T + n * 900 }).collect();
    assert!(!infer(&job, &job, &[]).sure);
}

#[test]
fn retries_and_long_requests_count_once() {
    let (access, mut error) = pair((0..6).map(|n| T + n * 100), |_| 60);
    for s in error.clone() {
        error.push(Sighting { time: s.time - 60, ..s });
        error.push(Sighting { time: s.time - 1, ..s });
    }
    let plan = infer(&access, &error, &[]);
    assert_eq!((plan.first_offset(), plan.sure), (60, true));
}

#[test]
fn zones_can_be_named() {
    let all = Window { start: T, end: T + 400 * 86_400 };
    assert_eq!(named("+05:30", all).unwrap().utc(19_800, None), 0);
    assert_eq!(named("UTC", all).unwrap().steps, [(i64::MIN, 0)]);
    let berlin = named("Europe/Berlin", all).unwrap();
    assert_eq!(berlin.utc(FORTH - 1 + 3600, None), FORTH - 1);
    assert_eq!(berlin.utc(FORTH + 7200, None), FORTH);
    let local = BACK - 1800 + 7200;
    assert_eq!(berlin.utc(local, Some(BACK - 1900)), BACK - 1800);
    assert_eq!(berlin.utc(local, Some(BACK + 10)), BACK + 1800);
    // The skipped hour, which no clock shows, comes out in order.
    assert_eq!(berlin.utc(FORTH + 3600 + 60, None), FORTH + 60);
    assert!(matches!(named("Berlin/Europe", all), Err(Error::Usage(_))));
    assert!(named("+2", Window::ALL).is_err());
    assert!(named("America/Sao_Paulo", Window::ALL).unwrap().steps.len() > 20);
}

proptest! {
    #[test]
    fn nothing_overflows(a in prop::collection::vec((0u64..4, any::<i64>()), 0..40), e in prop::collection::vec((0u64..4, any::<i64>()), 0..40), local in any::<i64>(), previous in any::<Option<i64>>()) {
        let list = |v: &[(u64, i64)]| v.iter().map(|&(key, time)| Sighting { key, time }).collect::<Vec<_>>();
        let plan = infer(&list(&a), &list(&e), &[]);
        let _ = (plan.utc(local, previous), describe(&plan));
    }
}

#[test]
fn local_and_utc_undo_each_other_across_steps() {
    let plan = named("Europe/Paris", Window { start: 1_770_000_000, end: 1_800_000_000 }).unwrap();
    // Both sides of the day on which clocks go forward, and of that on which they go back.
    for utc in [1_774_700_000, 1_774_745_999, 1_774_746_000, 1_774_800_000, 1_792_800_000, 1_793_000_000] {
        assert_eq!(plan.utc(plan.local(utc), Some(utc - 1)), utc, "{utc}");
    }
    assert_eq!(plan.local(1_770_000_000) - 1_770_000_000, 3600);
}

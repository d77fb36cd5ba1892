//! What detection costs on top of the scan: two days, sixty quiet days, and the worst case of failures in every second.

use criterion::{Criterion, criterion_group, criterion_main};
use downtime::detect::{Options, Signals, Tick, detect};
use std::hint::black_box;

/// `days` of traffic in which a second is busy with probability `busy`, holds `rate` requests if so, of which a share
/// fails; ten minutes of outage in the middle.
fn log(days: i64, busy: f64, rate: u32, share: f64) -> Vec<Tick> {
    let mut state = 1u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let middle = days * 43_200;
    let mut ticks = Vec::new();
    for second in 0..days * 86_400 {
        if random() < busy {
            let down = (middle..middle + 600).contains(&second);
            let failed = if down { rate } else { (0..rate).filter(|_| random() < share).count() as u32 };
            ticks.push(Tick { second, good: rate - failed, neutral: 0, failed });
        }
    }
    ticks
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("detect");
    group.sample_size(20);
    for (name, ticks) in [
        ("two days, 1 GiB", log(2, 1.0, 29, 0.0005)),
        ("sixty quiet days, 2 M busy seconds", log(60, 0.386, 2, 0.001)),
        ("two days, failures in nearly every second", log(2, 1.0, 100, 0.02)),
    ] {
        let ticks = ticks.as_slice();
        let signals = Signals {
            timings: None,
            access: Some(&ticks),
            errors: &[],
            server_side: &|_| true,
            excused: &|_| false,
            timed_out: &|_| false,
            marks: &[],
            other_activity: &[],
            covered: &[],
        };
        group.bench_function(name, |b| b.iter(|| black_box(detect(&signals, &Options::default()))));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);

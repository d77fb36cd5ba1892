//! Time per byte of hostile logs against that of ordinary ones of the same form, end to end: nothing may be worse than
//! three times, and twice the bytes may not take much more than twice the time.
//!
//!     cargo bench --bench adversarial [MIBIBYTES]

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on ends")]

mod hostile;

use downtime::analysis::{self, Options};
use std::path::Path;

/// Seconds of processor time that this process took so far; other work on the machine takes no part in it.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = stat.rsplit_once(')').unwrap().1;
    let ticks = behind_name.split_whitespace().skip(11).take(2).map(|t| t.parse::<f64>().unwrap());
    // Linux counts these in hundredths, whatever its own ticks are.
    ticks.sum::<f64>() / 100.0
}

/// Seconds of the fastest of some runs over `bytes` as a file.
fn seconds(folder: &Path, bytes: &[u8]) -> f64 {
    let file = folder.join("some.log");
    std::fs::write(&file, bytes).unwrap();
    let options = Options { paths: vec![file], threads: 1, ..Options::default() };
    let once = || {
        let begun = processor();
        std::hint::black_box(analysis::run(&options, &()).unwrap());
        processor() - begun
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let asked = std::env::args().skip(1).find_map(|a| a.parse().ok());
    let size: usize = asked.unwrap_or(32) << 20;
    let folder = tempfile::tempdir().unwrap();
    println!("{:<14} {:>10} {:>10} {:>8} {:>10}", "kind", "ordinary", "hostile", "times", "twice as");
    println!("{:<14} {:>10} {:>10} {:>8} {:>10}", "", "ns/byte", "ns/byte", "", "long");
    for kind in hostile::KINDS {
        let per_byte = |bytes: &[u8]| seconds(folder.path(), bytes) * 1e9 / bytes.len() as f64;
        let usual = per_byte(&hostile::ordinary(kind, size));
        let half = per_byte(&hostile::hostile(kind, size / 2));
        let worst = per_byte(&hostile::hostile(kind, size));
        println!(
            "{kind:<14} {usual:>10.2} {worst:>10.2} {:>8.2} {:>10.2}",
            worst / usual,
            worst / half * 2.0
        );
    }
}

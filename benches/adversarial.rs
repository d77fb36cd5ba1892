//! Time of hostile logs against that of ordinary ones of the same form, end to end: nothing may be worse than three
//! times per byte, and four times the bytes may not take much more than four times the time. Where a hostile line is far
//! shorter than an ordinary one, the time per line is what a reader of lines can promise, and the table has it too.
//!
//!     cargo bench --bench adversarial [MIBIBYTES [KIND]]
//!     cargo bench --bench adversarial [MIBIBYTES] --write FOLDER

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on ends")]

mod hostile;

use downtime::analysis::{self, Options};
use std::path::Path;

/// Seconds of processor time that this process took so far; other work on the machine takes no part in it.
fn processor() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
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
    (0..5).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds per byte and per line of a log.
fn cost(folder: &Path, bytes: &[u8]) -> [f64; 2] {
    let lines = downtime::scan::count_newlines(bytes);
    let nanos = seconds(folder, bytes) * 1e9;
    [bytes.len() as u64, lines].map(|n| nanos / n as f64)
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let size: usize = given.iter().find_map(|a| a.parse().ok()).unwrap_or(32) << 20;
    if let Some(at) = given.iter().position(|a| a == "--write") {
        let folder = Path::new(&given[at + 1]);
        for kind in hostile::KINDS {
            for (name, bytes) in
                [("ordinary", hostile::ordinary(kind, size)), ("hostile", hostile::hostile(kind, size))]
            {
                std::fs::write(folder.join(format!("{kind} {name}.log").replace(' ', "-")), bytes).unwrap();
            }
        }
        return;
    }
    let wanted = |kind: &str| given.iter().all(|a| a.parse::<usize>().is_ok() || kind.contains(a.as_str()));
    let folder = tempfile::tempdir().unwrap();
    println!(
        "{:<14} {:>9} {:>9} {:>6} {:>9} {:>9} {:>6} {:>7}",
        "kind", "ordinary", "hostile", "times", "ordinary", "hostile", "times", "growth"
    );
    println!(
        "{:<14} {:>9} {:>9} {:>6} {:>9} {:>9} {:>6} {:>7}",
        "", "ns/byte", "ns/byte", "", "ns/line", "ns/line", "", "4 is even"
    );
    for kind in hostile::KINDS.into_iter().filter(|kind| wanted(kind)) {
        let usual = cost(folder.path(), &hostile::ordinary(kind, size));
        let part = cost(folder.path(), &hostile::hostile(kind, size / 4));
        let worst = cost(folder.path(), &hostile::hostile(kind, size));
        println!(
            "{kind:<14} {:>9.2} {:>9.2} {:>6.1} {:>9.1} {:>9.1} {:>6.1} {:>7.1}",
            usual[0],
            worst[0],
            worst[0] / usual[0],
            usual[1],
            worst[1],
            worst[1] / usual[1],
            worst[0] / part[0] * 4.0
        );
    }
}

//! Whole processes to compare with, for paired runs under a timer (`benches/ratios.py`): `floor MODE THREADS FILE...`
//!
//! * `newlines`: maps plain files as the scan does and counts newlines, nothing else: the floor.
//! * `scan`: learns the formats and scans, without detection.
//! * `regex`: what one writes first: a regex with captures, line by line, on rayon over the whole mapped file.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)]

use downtime::input::source::{PlainFile, Source};
use downtime::parallel::Workers;
use downtime::reading::{Hints, Reading, look};
use downtime::scan::{Job, ScanOptions, count_newlines, scan};
use rayon::prelude::*;
use std::collections::HashMap;

fn newlines(sources: &[Source], workers: &Workers) -> u64 {
    let size = ScanOptions::default().chunk_bytes;
    let mut lines = 0;
    for source in sources {
        let plain = PlainFile::open(source).unwrap();
        let chunks: Vec<u64> = (0..plain.len().unwrap().div_ceil(size)).collect();
        let count = |n: &mut u64, chunk: &u64| {
            *n += count_newlines(&plain.map(chunk * size..(chunk + 1) * size).unwrap());
        };
        lines += workers.fold(&chunks, || 0, count).iter().sum::<u64>();
    }
    lines
}

fn scanned(sources: &[Source], workers: &Workers) -> u64 {
    let readings: Vec<Box<Reading>> =
        sources.iter().map(|s| look(s.clone().into(), &Hints::default()).unwrap().unwrap()).collect();
    let jobs: Vec<Job<'_>> = readings
        .iter()
        .map(|r| Job { source: &r.source, plan: &r.plan, range: None, skip: Vec::new() })
        .collect();
    scan(&jobs, &ScanOptions::default(), workers, &|_| ()).into_iter().map(|s| s.unwrap().lines).sum()
}

fn by_regex(sources: &[Source]) -> u64 {
    let pattern = r#"^(\S+) \S+ \S+ \[([^:]+:\d\d:\d\d):\d\d [^\]]+\] "([^"]*)" (\d)\d\d (\d+)"#;
    let regex = regex::bytes::Regex::new(pattern).unwrap();
    let mut total = 0;
    for source in sources {
        let plain = PlainFile::open(source).unwrap();
        let map = plain.map(0..u64::MAX).unwrap();
        let add = |mut counts: HashMap<(Vec<u8>, u8), u64>, line: &[u8]| {
            if let Some(c) = regex.captures(line) {
                *counts.entry((c[2].to_vec(), c[4][0])).or_default() += 1;
            }
            counts
        };
        let counts =
            map.par_split(|b| *b == b'\n').fold(HashMap::new, add).reduce(HashMap::new, |mut a, b| {
                for (key, n) in b {
                    *a.entry(key).or_default() += n;
                }
                a
            });
        total += counts.values().sum::<u64>();
    }
    total
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [mode, threads, files @ ..] = args.as_slice() else {
        println!("usage: floor newlines|scan|regex THREADS FILE...");
        return;
    };
    let threads: usize = threads.parse().unwrap();
    let sources: Vec<Source> = files.iter().map(|f| Source::file(f.as_ref()).unwrap()).collect();
    let lines = match mode.as_str() {
        "newlines" => newlines(&sources, &Workers::new(threads).unwrap()),
        "scan" => scanned(&sources, &Workers::new(threads).unwrap()),
        _ => {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().unwrap();
            by_regex(&sources)
        }
    };
    println!("{lines}");
}

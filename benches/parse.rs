//! Parsing of single lines, in bytes a second: each access-log format over its own sample, a line that fits no
//! format, error-log records. Not the scan, which looks at a few fields only (`floor.rs`).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros, and a bench that cannot go on fails"
)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use downtime::catalogue::{Catalogue, read_line};
use downtime::format::record::ErrorRecord;
use downtime::format::{AccessFormat, errorlog};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

/// The text of a sample.
fn sample(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(path)).unwrap()
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect()
}

fn access(c: &mut Criterion) {
    let mut group = c.benchmark_group("access");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/formats");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".log").map(str::to_owned))
        .collect();
    names.sort();
    for name in &names {
        let text = sample(&format!("formats/{name}.log"));
        let format = AccessFormat::by_name(name).unwrap();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &lines(&text), |b, lines| {
            b.iter(|| lines.iter().filter(|l| format.parse(black_box(l)).is_ok()).count());
        });
    }
    group.finish();
}

/// A line that matches nothing is the dear one: every format is tried on it, to its last piece if need be.
fn nothing(c: &mut Criterion) {
    let mut group = c.benchmark_group("nothing");
    let almost =
        [&b"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] \"GET /"[..], &[b'a'; 8000], b" HTTP/1.1 200"]
            .concat();
    let noise: Vec<u8> = (0..8000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (name, line) in [("almost", &almost), ("noise", &noise)] {
        for format in ["combined", "upstreaminfo", "labelled", "logstash_json"] {
            let parser = AccessFormat::by_name(format).unwrap();
            group.throughput(Throughput::Bytes(line.len() as u64));
            group.bench_with_input(BenchmarkId::new(name, format), line, |b, line| {
                b.iter(|| parser.parse(black_box(line)).is_ok());
            });
        }
    }
    group.finish();
}

fn errors(c: &mut Criterion) {
    let mut group = c.benchmark_group("error");
    for path in ["low-traffic/error.log", "refused-reload/error.log"] {
        let text = sample(path);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(path), &lines(&text), |b, lines| {
            b.iter(|| lines.iter().filter(|l| errorlog::parse_error(black_box(l)).is_some()).count());
        });
    }
    group.finish();
}

/// What it costs to read a record, and to say what it means once it is read, over the same lines: the second must not
/// cost more than the first.
fn meaning(c: &mut Criterion) {
    let catalogue = Catalogue::builtin().unwrap();
    let mut group = c.benchmark_group("meaning");
    let story = sample("refused-reload/error.log");
    let mixed: Vec<u8> = catalogue_lines().join("\n").into_bytes();
    for (name, text) in [("refused-reload", &story), ("one of each", &mixed)] {
        let lines = lines(text);
        group.throughput(Throughput::Elements(lines.len() as u64));
        group.bench_with_input(BenchmarkId::new("read", name), &lines, |b, lines| {
            b.iter(|| lines.iter().filter(|l| read_line(black_box(l)).is_some()).count());
        });
        let records: Vec<ErrorRecord<'_>> = lines.iter().filter_map(|l| read_line(l)).collect();
        group.bench_with_input(BenchmarkId::new("classify", name), &records, |b, records| {
            b.iter(|| records.iter().filter(|r| catalogue.classify(black_box(r)).is_some()).count());
        });
    }
    group.finish();
    c.bench_function("catalogue/load", |b| b.iter(|| Catalogue::builtin().unwrap().patterns().len()));
}

/// The line that each pattern of ours must match first.
fn catalogue_lines() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns");
    Catalogue::load_dir(&folder).unwrap().patterns().iter().map(|p| p.matches[0].line.clone()).collect()
}

criterion_group! {
    name = parse;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = access, nothing, errors, meaning
}
criterion_main!(parse);

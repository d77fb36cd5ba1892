//! The scan by chunk size, threads and format, the line that matches nothing, and error records: small files in
//! memory-backed temporary files, quick to run. Whole-process figures against the newline floor are `floor`'s.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use downtime::format::framing::Framing;
use downtime::format::{AccessFormat, Escape};
use downtime::input::source::Source;
use downtime::parallel::Workers;
use downtime::scan::{Job, Plan, ScanOptions, scan};
use std::io::Write;

const SIZE: usize = 4 << 20;
const UPSTREAM: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \
    \"$http_user_agent\" $request_time \"$upstream_addr\" \"$upstream_status\" \"$upstream_response_time\"";
const JSON: &str = "{\"time\":\"$time_iso8601\",\"client\":\"$remote_addr\",\"request\":\"$request\",\
    \"status\":$status,\"request_time\":$request_time,\"host\":\"$host\"}";

fn plan(kind: &str) -> Plan {
    let format = match kind {
        "upstream" => AccessFormat::from_directive("u", UPSTREAM, None).unwrap(),
        "json" => AccessFormat::from_directive("j", JSON, Some(Escape::Json)).unwrap(),
        "error" => return Plan::new(vec![], Framing::None),
        _ => AccessFormat::by_name("combined").unwrap(),
    };
    Plan::new(vec![format], Framing::None)
}

fn line(kind: &str, n: usize) -> String {
    let second = n / 8;
    let (h, m, s) = (second / 3600 % 24, second / 60 % 60, second % 60);
    let status = if n.is_multiple_of(97) { 502 } else { 200 };
    let request = format!("GET /product/{n}?page=1 HTTP/1.1");
    let common = format!(
        "192.0.2.{} - - [01/Mar/2026:{h:02}:{m:02}:{s:02} +0000] \"{request}\" {status} {n} \"https://shop.example.com/\" \
         \"Mozilla/5.0 (X11; Linux x86_64; rv:136.0) Gecko/20100101 Firefox/136.0\"",
        n % 200
    );
    match kind {
        "combined" => common,
        "failing" => common.replace(" 200 ", " 502 "),
        "upstream" => format!("{common} 0.{:03} \"10.0.0.1:80\" \"{status}\" \"0.010\"", n % 1000),
        "json" => format!(
            "{{\"time\":\"2026-03-01T{h:02}:{m:02}:{s:02}+00:00\",\"client\":\"192.0.2.1\",\"request\":\"{request}\",\
             \"status\":{status},\"request_time\":0.{:03},\"host\":\"shop.example.com\"}}",
            n % 1000
        ),
        "error" => format!(
            "2026/03/01 {h:02}:{m:02}:{s:02} [error] 7#7: *{n} connect() failed (111: Connection refused) while connecting to \
             upstream, client: 192.0.2.1, server: _, request: \"{request}\", host: \"x\""
        ),
        _ => format!("a line {n} of another program, which no format reads"),
    }
}

fn file(kind: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut bytes = Vec::with_capacity(SIZE + 1024);
    for n in 0.. {
        if bytes.len() >= SIZE {
            break;
        }
        writeln!(bytes, "{}", line(kind, n)).unwrap();
    }
    file.write_all(&bytes).unwrap();
    file
}

fn run(source: &Source, plan: &Plan, chunk_bytes: u64, workers: &Workers) -> u64 {
    let job = Job { source, plan, range: None, skip: vec![] };
    let options = ScanOptions { chunk_bytes, ..ScanOptions::default() };
    scan(&[job], &options, workers, &|_| ()).pop().unwrap().unwrap().lines
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan");
    group.sample_size(10).throughput(Throughput::Bytes(SIZE as u64));
    group.warm_up_time(std::time::Duration::from_millis(200));
    group.measurement_time(std::time::Duration::from_millis(600));
    let one = Workers::new(1).unwrap();
    for kind in ["combined", "upstream", "json", "error", "failing", "nothing"] {
        let (file, plan) = (file(kind), plan(kind));
        let source = Source::file(file.path()).unwrap();
        group.bench_function(BenchmarkId::new("format", kind), |b| {
            b.iter(|| run(&source, &plan, 8 << 20, &one));
        });
    }
    let (file, plan) = (file("combined"), plan("combined"));
    let source = Source::file(file.path()).unwrap();
    for kib in [64u64, 512, 4096] {
        group.bench_function(BenchmarkId::new("chunk KiB", kib), |b| {
            b.iter(|| run(&source, &plan, kib << 10, &one));
        });
    }
    for threads in [1, 2] {
        let workers = Workers::new(threads).unwrap();
        group.bench_function(BenchmarkId::new("threads", threads), |b| {
            b.iter(|| run(&source, &plan, 512 << 10, &workers));
        });
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);

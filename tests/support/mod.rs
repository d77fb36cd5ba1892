//! Logs made for tests, and reports made from them. Not for the truth: that comes from recorded outages.

#![allow(dead_code, reason = "each test crate takes what it needs")]
#![allow(clippy::single_range_in_vec_init, reason = "one outage is a list of one stretch")]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on fails")]

use downtime::analysis::{self, Options};
use downtime::report::Report;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// 2026-03-01 10:00:00 UTC.
pub(crate) const TEN: i64 = 1_772_359_200;

/// Made traffic: some requests a second, one upstream, and stretches in which it refuses connections.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    /// First second, UTC.
    pub(crate) start: i64,
    /// Length.
    pub(crate) seconds: i64,
    /// Requests in a second.
    pub(crate) rate: u64,
    /// Minutes east of UTC.
    pub(crate) offset: i64,
    /// Seconds from the start in which every request is a 502, with its record in the error log.
    pub(crate) outages: Vec<Range<i64>>,
    /// Which requests they are.
    pub(crate) seed: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { start: TEN, seconds: 1200, rate: 4, offset: 0, outages: Vec::new(), seed: 1 }
    }
}

/// One request of made traffic.
struct Request {
    second: i64,
    client: String,
    path: String,
    failed: bool,
    number: u64,
}

/// Numbers that look random and are the same on every run: `splitmix64` (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let (u, v) = (self.share().max(1e-300), self.share());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    pub(crate) fn waiting(&mut self, mean: f64) -> f64 {
        -mean * self.share().max(1e-300).ln()
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A number that looks random and is the same on every run (`splitmix64`).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn civil(second: i64) -> (i64, u32, u32, i64, i64, i64) {
    let (y, m, d) = downtime::time::civil_from_days(second.div_euclid(86_400));
    let s = second.rem_euclid(86_400);
    (y, m, d, s / 3600, s / 60 % 60, s % 60)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `$time_local`.
pub(crate) fn time_local(second: i64, offset: i64) -> String {
    let (y, m, d, hh, mm, ss) = civil(second + offset * 60);
    let (sign, o) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    let month = MONTHS[m as usize - 1];
    format!("{d:02}/{month}/{y}:{hh:02}:{mm:02}:{ss:02} {sign}{:02}{:02}", o / 60, o % 60)
}

/// The stamp of syslog, without a year.
pub(crate) fn time_syslog(second: i64, offset: i64) -> String {
    let (_, m, d, hh, mm, ss) = civil(second + offset * 60);
    format!("{} {d:>2} {hh:02}:{mm:02}:{ss:02}", MONTHS[m as usize - 1])
}

/// The stamp of nginx's error log.
pub(crate) fn time_error(second: i64, offset: i64) -> String {
    let (y, m, d, hh, mm, ss) = civil(second + offset * 60);
    format!("{y:04}/{m:02}/{d:02} {hh:02}:{mm:02}:{ss:02}")
}

/// Lines with their second.
pub(crate) type Lines = Vec<(i64, String)>;

impl Traffic {
    /// Twenty minutes with three minutes of failure.
    pub(crate) fn outage() -> Self {
        Self { outages: vec![600..780], ..Self::default() }
    }

    fn requests(&self) -> impl Iterator<Item = Request> + '_ {
        (0..self.seconds).flat_map(move |s| {
            let failed = self.outages.iter().any(|o| o.contains(&s));
            (0..self.rate).map(move |i| {
                let number = s as u64 * self.rate + i;
                let x = mix(number ^ (self.seed << 40));
                Request {
                    second: self.start + s,
                    client: format!("198.51.100.{}", x % 200 + 1),
                    path: format!("/item/{}?n={number}", (x >> 8) % 5000),
                    failed,
                    number,
                }
            })
        })
    }

    /// The access log, `combined`.
    pub(crate) fn access(&self) -> Lines {
        let line = |r: &Request| {
            format!(
                "{} - - [{}] \"GET {} HTTP/1.1\" {} {} \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"",
                r.client,
                time_local(r.second, self.offset),
                r.path,
                if r.failed { 502 } else { 200 },
                150 + r.number % 900,
            )
        };
        self.requests().map(|r| (r.second, line(&r))).collect()
    }

    /// The error log.
    pub(crate) fn error(&self) -> Lines {
        let line = |r: &Request| {
            format!(
                "{} [error] 71#71: *{} connect() failed (111: Connection refused) while connecting to upstream, \
                 client: {}, server: example.net, request: \"GET {} HTTP/1.1\", \
                 upstream: \"http://127.0.0.1:8080{}\", host: \"example.net\"",
                time_error(r.second, self.offset),
                r.number + 1,
                r.client,
                r.path,
                r.path,
            )
        };
        self.requests().filter(|r| r.failed).map(|r| (r.second, line(&r))).collect()
    }

    /// Both logs in a folder.
    pub(crate) fn write(&self, folder: &Path) {
        write_lines(&folder.join("access.log"), &self.access());
        write_lines(&folder.join("error.log"), &self.error());
    }
}

/// The text of lines.
pub(crate) fn text(lines: &[(i64, String)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (_, line) in lines {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out
}

/// Writes lines to a file.
pub(crate) fn write_lines(path: &Path, lines: &[(i64, String)]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text(lines)).unwrap();
}

/// Packs as gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Packs as zstd.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Packs as bzip2.
pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Packs as xz.
pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Options for paths, with one thread.
pub(crate) fn options(paths: &[PathBuf]) -> Options {
    Options { paths: paths.to_vec(), threads: 1, ..Options::default() }
}

/// The report of a run without failures.
pub(crate) fn report(options: &Options) -> Report {
    let outcome = analysis::run(options, &()).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    outcome.report
}

/// A report as it is printed.
pub(crate) fn json(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    downtime::render::json::write(report, &mut out).unwrap();
    out
}

/// The schema of one form of JSON (a name in its `$defs`), closed: the schema leaves objects open, since fields may be
/// added by later versions, and what this version prints must be all in it.
pub(crate) fn validator(form: &str) -> jsonschema::Validator {
    let mut schema: Value = serde_json::from_str(downtime::render::json::SCHEMA).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    closed(&mut schema);
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = serde_json::json!(format!("#/$defs/{form}"));
    jsonschema::draft202012::new(&schema).unwrap()
}

fn closed(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.contains_key("properties") {
                object.insert("additionalProperties".into(), Value::Bool(false));
            }
            object.values_mut().for_each(closed);
        }
        Value::Array(list) => list.iter_mut().for_each(closed),
        _ => {}
    }
}

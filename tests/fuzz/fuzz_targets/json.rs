//! A JSON format and a line of it, both from the same bytes.
#![no_main]

use downtime::format::{AccessFormat, Field, learn};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
    let (text, line) = (&bytes[..cut], bytes.get(cut + 1..).unwrap_or_default());
    let learned = learn(&[text, line], &[]).formats;
    let given = std::str::from_utf8(text).ok().and_then(|t| AccessFormat::from_directive("x", t, None).ok());
    for format in learned.into_iter().chain(given) {
        let _ = format.parse(text);
        let _ = format.parse(line);
        if let Some(keys) = format.json_keys() {
            let _ = (keys.time(), keys.status(), keys.request_time(), keys.host());
            let _ = keys.needle(|f| *f == Field::Request);
        }
    }
});

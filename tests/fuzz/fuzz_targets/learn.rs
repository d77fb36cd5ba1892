//! Any lines to learn from. What was learned must say how sure it is, and its definition must read the same.
#![no_main]

use downtime::format::{AccessFormat, learn};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    let learned = learn(&lines, &[]);
    assert!((0.0..=1.0).contains(&learned.confidence), "{}", learned.confidence);
    for format in &learned.formats {
        let again = AccessFormat::from_directive("", &format.definition(), None);
        let again = again.unwrap_or_else(|e| panic!("{}: {e}", format.definition()));
        for line in &lines {
            assert_eq!(again.parse(line), format.parse(line), "{}", format.definition());
        }
    }
});

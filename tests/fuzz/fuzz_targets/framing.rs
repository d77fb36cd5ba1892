//! Any lines in any frame: detection, unwrapping, joining of parts.
#![no_main]

use downtime::format::framing::{Framing, Joiner, Stream, detect};
use libfuzzer_sys::fuzz_target;

const ALL: [Framing; 13] = [
    Framing::None,
    Framing::DockerJson,
    Framing::Cri,
    Framing::Syslog,
    Framing::Syslog5424,
    Framing::JournalShort,
    Framing::JournalIso,
    Framing::Logread,
    Framing::Compose,
    Framing::KubectlPrefix,
    Framing::Stern,
    Framing::IsoPrefix,
    Framing::Svlogd,
];

fuzz_target!(|bytes: &[u8]| {
    let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    let (found, share) = detect(&lines);
    assert!((0.0..=1.0).contains(&share), "{found:?} {share}");
    for framing in ALL {
        let mut joiner = Joiner::default();
        let (mut given, mut taken) = (0, 0);
        for line in &lines {
            let mut out = Vec::new();
            let Some(part) = framing.unwrap(line, &mut out) else { continue };
            assert!(part.payload.len() <= line.len(), "unescaping never makes a line longer");
            given += part.payload.len();
            taken += joiner.push(&part).map_or(0, |(whole, _)| whole.len());
        }
        for stream in [None, Some(Stream::Stdout), Some(Stream::Stderr)] {
            taken += joiner.rest(stream).map_or(0, |rest| rest.len());
        }
        assert_eq!(given, taken, "{framing:?}: the joiner loses nothing below its limit");
    }
});

//! Any text as a `log_format` directive. What can be read must come out the same after it was written.
#![no_main]

use downtime::format::AccessFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
    let (text, line) = bytes.split_at(cut);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(format) = AccessFormat::from_directive("x", text, None) else { return };
    let _ = format.parse(line);
    let definition = format.definition();
    let again = AccessFormat::from_directive("", &definition, None).expect("what was written can be read");
    assert_eq!(again.definition(), definition);
    assert_eq!(again.pieces(), format.pieces());
    assert_eq!((again.fields(), again.escape()), (format.fields(), format.escape()));
    assert_eq!(again.parse(line), format.parse(line));
});

//! Any bytes as a configuration, or as what `nginx -T` prints; and every format found there.
#![no_main]

use downtime::format::{AccessFormat, Escape, nginx_conf};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(conf) = nginx_conf::read_dump(bytes) else { return };
    for format in &conf.log_formats {
        assert!(conf.log_format(&format.name).is_some());
        let escape = format.escape.as_deref().and_then(Escape::from_name);
        let _ = AccessFormat::from_directive(&format.name, &format.text, escape);
    }
});

//! Any text as a user's pattern file.
#![no_main]

use downtime::catalogue::Catalogue;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("downtime-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the pattern file");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(FOLDER.join("user.toml"), bytes).expect("the pattern file");
    let _ = Catalogue::load_dir(&FOLDER);
});

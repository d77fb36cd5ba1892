//! Any bytes as an error log: the splitter must account for every byte and line, must not care where between two
//! records the log is cut, and what it calls a record must be one.
#![no_main]

use downtime::catalogue::{Catalogue, read_line};
use downtime::format::errorlog::{
    RecordSplitter, Split, looks_unfinished, parse_angie_json, parse_error, parse_stderr_form,
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::builtin().expect("our own patterns"));

fuzz_target!(|bytes: &[u8]| {
    let _ = (parse_error(bytes), parse_stderr_form(bytes), parse_angie_json(bytes), looks_unfinished(bytes));
    let splits: Vec<Split> = RecordSplitter::new(bytes).collect();
    let mut at = 0;
    let mut lines = 0;
    for (i, split) in splits.iter().enumerate() {
        assert_eq!(split.offset, at);
        lines += split.lines;
        at = splits.get(i + 1).map_or(bytes.len(), |next| next.offset);
        let record = read_line(split.bytes);
        assert!(!split.framed || record.is_some(), "a record that cannot be read");
        if let Some(record) = record {
            let _ = CATALOGUE.classify(&record);
        }
    }
    let ends = bytes.iter().filter(|b| **b == b'\n').count() as u32;
    let open = u32::from(bytes.last().is_some_and(|b| *b != b'\n'));
    assert_eq!((at, lines), (bytes.len(), ends + open));
    if let Some(middle) = splits.get(splits.len() / 2) {
        let (head, tail) = bytes.split_at(middle.offset);
        let halves = RecordSplitter::new(head)
            .chain(RecordSplitter::new(tail).map(|s| Split { offset: s.offset + middle.offset, ..s }));
        assert!(halves.eq(splits.iter().copied()), "a cut between records changes them");
    }
});

use super::*;
use std::io::Write;

fn source(text: &[u8]) -> (tempfile::NamedTempFile, Source) {
    let mut named = tempfile::NamedTempFile::new().unwrap();
    named.write_all(text).unwrap();
    let source = Source::file(named.path()).unwrap();
    (named, source)
}

fn lines(n: u32) -> Vec<u8> {
    (0..n).flat_map(|i| format!("{i:07}\n").into_bytes()).collect()
}

#[test]
fn ranges_are_clipped_and_both_ways_agree() {
    let text = lines(5000);
    let (_named, source) = source(&text);
    let file = PlainFile::open(&source).unwrap();
    for range in [0..40_000u64, 17..4100, 39_999..50_000, 60_000..70_000, 5..5] {
        let (mapped, read) = (file.map(range.clone()).unwrap(), file.read(range.clone()).unwrap());
        let want = &text[(range.start as usize).min(40_000)..(range.end as usize).min(40_000)];
        assert_eq!((&mapped[..], &read[..]), (want, want));
        assert_eq!(mapped.range(), read.range());
        assert!(!mapped.was_cut() && !read.was_cut());
    }
    let read = file.read(100..30_000).unwrap();
    assert_eq!(read.as_ptr() as usize % PAGE, 0);
}

#[test]
fn first_and_last_lines() {
    let (_a, a) = source(b"one\ntwo\nthree\nfour, still wri");
    let file = PlainFile::open(&a).unwrap();
    assert_eq!(file.first_line().unwrap().unwrap(), b"one");
    assert_eq!(file.last_line().unwrap().unwrap(), b"three");
    let mut long = b"a\n".to_vec();
    long.extend(vec![b'z'; 100_000]);
    long.push(b'\n');
    let (_b, b) = source(&long);
    let file = PlainFile::open(&b).unwrap();
    assert_eq!(file.last_line().unwrap().unwrap().len(), 100_000);
    let (_c, c) = source(b"");
    let file = PlainFile::open(&c).unwrap();
    assert_eq!((file.first_line().unwrap(), file.last_line().unwrap()), (None, None));
    assert!(file.map(0..100).unwrap().is_empty());
}

#[test]
fn a_sample_has_whole_lines_from_everywhere() {
    let text = lines(100_000);
    let (_named, source) = source(&text);
    for budget in [9 * 4096, 100_000, text.len() - 1, text.len(), text.len() * 2] {
        let sample = sample(&source, budget).unwrap();
        assert!(sample.bytes.len() <= budget);
        assert_eq!((sample.line(0), sample.lines.len()), (&b"0000000"[..], sample.places.len()));
        assert_eq!(sample.line(sample.lines.len() - 1), b"0099999");
        for (range, place) in sample.lines.iter().zip(&sample.places) {
            assert_eq!(&sample.bytes[range.clone()], format!("{:07}", place / 8).as_bytes());
        }
        assert!(sample.places.windows(2).all(|w| w[0] < w[1]));
    }
    let (named, crlf) = self::source(b"a\r\nb");
    let small = super::sample(&crlf, 10).unwrap();
    assert_eq!((small.line(0), small.line(1), small.line(2)), (&b"a"[..], &b"b"[..], &b""[..]));
    drop(named);
    assert!(super::sample(&crlf, 10).is_err());
}

#[test]
fn a_packed_file_gives_its_head() {
    let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    w.write_all(&lines(50_000)).unwrap();
    let (_named, source) = source(&w.finish().unwrap());
    assert_eq!(source.packing, Packing::Gzip);
    assert!(!source.is_seekable() && PlainFile::open(&source).is_err());
    let head = sniff(&source).unwrap();
    assert_eq!((head.bytes.len(), head.whole), (SNIFF, false));
    let sample = sample(&source, 8192).unwrap();
    assert_eq!(sample.lines.len(), 1024);
    let mut all = Vec::new();
    open_stream(&source).unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all, lines(50_000));
}

#[test]
fn a_path_is_shown_without_control_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"lo\x1b[31mg\xff/\xc3\xa4.log"));
    assert_eq!(shown(path), "lo\\x1B[31mg\\xFF/\u{e4}.log");
}

/// A writer grows the file and cuts it to nothing, as `copytruncate` does, while a reader goes through it chunk by
/// chunk. Nothing may crash, and every chunk that is not flagged must hold whole lines of the file.
#[test]
fn a_file_that_shrinks_and_grows_while_it_is_mapped() {
    const CHUNK: u64 = 64 << 10;
    let (named, source) = source(&lines(40_000));
    let file = PlainFile::open(&source).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (mut cuts, mut clean) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut append = std::fs::OpenOptions::new().append(true).open(named.path()).unwrap();
            let block = lines(4000);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                named.as_file().set_len(0).unwrap();
                for _ in 0..10 {
                    append.write_all(&block).unwrap();
                }
            }
        });
        let mut at = 0;
        for _ in 0..20_000 {
            let map = file.map(at..at + CHUNK).unwrap();
            let zeros = memchr::memchr(0, &map).is_some();
            if map.was_cut() {
                (cuts, at) = (cuts + 1, 0);
            } else if map.is_empty() {
                at = 0;
            } else {
                clean += u32::from(!zeros);
                at += map.len() as u64;
            }
            if cuts > 20 && clean > 20 {
                break;
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(clean > 0, "{cuts} {clean}");
    // A cut that nobody races with is always seen.
    named.as_file().set_len(0).unwrap();
    named.as_file().set_len(0).unwrap();
    std::fs::write(named.path(), lines(40_000)).unwrap();
    let file = PlainFile::open(&source).unwrap();
    let map = file.map(0..320_000).unwrap();
    named.as_file().set_len(100).unwrap();
    assert!(map.was_cut());
    std::fs::write(named.path(), b"another text of another time, and longer\n".repeat(9000)).unwrap();
    assert!(map.was_cut() && file.was_replaced());
}

use super::*;
use std::io::Write;
use std::sync::Arc;

fn file(bytes: usize) -> (tempfile::NamedTempFile, File) {
    let mut named = tempfile::NamedTempFile::new().unwrap();
    named.write_all(&vec![b'x'; bytes]).unwrap();
    let open = File::open(named.path()).unwrap();
    (named, open)
}

#[test]
fn an_odd_offset_gives_the_right_bytes() {
    let mut named = tempfile::NamedTempFile::new().unwrap();
    let text: Vec<u8> = (0..20_000u32).map(|i| (i % 251) as u8).collect();
    named.write_all(&text).unwrap();
    let open = File::open(named.path()).unwrap();
    for (offset, len) in [(0usize, 20_000usize), (1, 10), (4095, 2), (4096, 4096), (12_289, 7711)] {
        let map = Mapped::new(&open, offset as u64, len).unwrap();
        assert_eq!(&map[..], &text[offset..offset + len]);
        assert!(!map.was_cut());
    }
    assert!(Mapped::new(&open, 0, usize::MAX).is_err());
}

#[test]
fn a_cut_file_reads_as_zeros_and_is_flagged() {
    let (named, open) = file(1 << 20);
    let map = Mapped::new(&open, 0, 1 << 20).unwrap();
    let whole = Mapped::new(&open, 0, 4096).unwrap();
    assert_eq!(map[500_000], b'x');
    named.as_file().set_len(10_000).unwrap();
    assert_eq!((map[0], map[9_999], map[1_000_000]), (b'x', b'x', 0));
    assert!(map.was_cut());
    assert!(!whole.was_cut() && whole[4095] == b'x');
}

#[test]
fn many_threads_survive_one_cut() {
    const LEN: usize = 4 << 20;
    let (named, open) = file(LEN);
    let open = Arc::new(open);
    let barrier = Arc::new(std::sync::Barrier::new(5));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (open, barrier) = (Arc::clone(&open), Arc::clone(&barrier));
                scope.spawn(move || {
                    let map = Mapped::new(&open, 0, LEN).unwrap();
                    barrier.wait();
                    // Every pass reads everything, before, during and after the cut.
                    for _ in 0..1000 {
                        let kept = map.iter().step_by(512).filter(|&&b| b == b'x').count();
                        assert!(kept * 512 >= 8192);
                        if map.was_cut() {
                            return true;
                        }
                    }
                    false
                })
            })
            .collect();
        barrier.wait();
        named.as_file().set_len(8192).unwrap();
        for thread in threads {
            assert!(thread.join().unwrap());
        }
    });
}

#[test]
fn slots_are_given_back() {
    let (_named, open) = file(4096);
    for _ in 0..4 * SLOTS {
        assert_eq!(Mapped::new(&open, 0, 4096).unwrap().len(), 4096);
    }
}

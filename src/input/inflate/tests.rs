use super::*;
use std::io::Write;

fn pack(packing: Packing, text: &[u8]) -> Vec<u8> {
    match packing {
        Packing::Plain => text.to_vec(),
        Packing::Gzip => {
            let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            w.write_all(text).unwrap();
            w.finish().unwrap()
        }
        Packing::Zstd => {
            // As the command does; without a checksum damaged literals go unseen.
            let mut w = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            w.include_checksum(true).unwrap();
            w.write_all(text).unwrap();
            w.finish().unwrap()
        }
        Packing::Bzip2 => {
            let mut w = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            w.write_all(text).unwrap();
            w.finish().unwrap()
        }
        Packing::Xz => {
            let mut w = liblzma::write::XzEncoder::new(Vec::new(), 1);
            w.write_all(text).unwrap();
            w.finish().unwrap()
        }
    }
}

fn unpack(packed: Vec<u8>) -> (Vec<u8>, Stream) {
    let mut stream = Stream::new(Box::new(io::Cursor::new(packed))).unwrap();
    let mut out = Vec::new();
    stream.read_to_end(&mut out).unwrap();
    (out, stream)
}

fn text(lines: u32) -> Vec<u8> {
    (0..lines).flat_map(|i| format!("line {i} {:x}\n", i.wrapping_mul(2_654_435_761)).into_bytes()).collect()
}

const PACKED: [Packing; 4] = [Packing::Gzip, Packing::Zstd, Packing::Bzip2, Packing::Xz];

#[test]
fn members_are_joined_and_padding_and_garbage_tolerated() {
    for packing in PACKED {
        let mut file = Vec::new();
        for part in [&b"a\n"[..], b"", b"bc\n"] {
            file.extend(pack(packing, part));
        }
        let (out, stream) = unpack(file.clone());
        assert_eq!(out, b"a\nbc\n", "{packing:?}");
        assert_eq!((stream.packing(), stream.damage(), stream.unpacked()), (packing, None, 5));
        file.extend([0; 1000]);
        file.extend(pack(packing, b"d\n"));
        file.extend([0; 12]);
        let (out, stream) = unpack(file.clone());
        assert_eq!(out, b"a\nbc\nd\n", "{packing:?}");
        assert!(stream.damage().is_none() && !stream.has_trailing_garbage());
        file.extend(b"not a member");
        let (out, stream) = unpack(file);
        assert_eq!(out, b"a\nbc\nd\n", "{packing:?}");
        assert!(stream.damage().is_none() && stream.has_trailing_garbage());
    }
}

#[test]
fn a_cut_file_gives_what_came_before() {
    let whole = text(60_000);
    for packing in PACKED {
        let first = pack(packing, &whole);
        let mut file = first.clone();
        file.extend(pack(packing, &whole));
        file.truncate(first.len() + first.len() * 9 / 10);
        let (out, stream) = unpack(file);
        assert!(out.len() > whole.len(), "{packing:?} {}", out.len());
        assert!(out.starts_with(&whole) && whole.starts_with(&out[whole.len()..]), "{packing:?}");
        let damage = stream.damage().unwrap();
        assert_eq!(damage.byte, out.len() as u64);
        assert!(damage.what.contains("too early"), "{packing:?} {}", damage.what);
    }
}

#[test]
fn a_damaged_file_gives_what_came_before() {
    let whole = text(200_000);
    for packing in PACKED {
        let mut file = pack(packing, &whole);
        let at = file.len() * 3 / 4;
        for byte in &mut file[at..at + 40] {
            *byte ^= 0x5a;
        }
        let (out, stream) = unpack(file);
        assert!(stream.damage().is_some(), "{packing:?}");
        // bzip2 and xz know of damage only at the end of a block.
        if matches!(packing, Packing::Gzip | Packing::Zstd) {
            let kept = out.iter().zip(&whole).take_while(|(a, b)| a == b).count();
            assert!(kept > whole.len() / 2, "{packing:?} {kept}");
        }
    }
}

#[test]
fn plain_text_passes() {
    for plain in [&b""[..], b"\x1f", b"BZ\n", b"127.0.0.1 - -\n"] {
        let (out, stream) = unpack(plain.to_vec());
        assert_eq!((&out[..], stream.packing()), (plain, Packing::Plain));
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_can_hurt(kind in 0usize..4, tail in proptest::collection::vec(0u8.., 0..300), cut in 0usize..80) {
        let mut file = pack(PACKED[kind], b"GET / HTTP/1.1\n");
        file.truncate(cut);
        file.extend(tail);
        let _ = unpack(file);
    }
}

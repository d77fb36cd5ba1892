//! What is asked of the kernel and of the processor that safe Rust cannot say: a mapping that survives its file being
//! cut short, a heap of large pages, and vector instructions. The one file with `unsafe`, so that one file is to be audited; everything it
//! gives out is safe to use. Not for deciding what to map (`input/source.rs`) or what to look for (`scan/lanes.rs`).
//!
//! A page of a mapping that lies wholly past the end of its file raises SIGBUS when touched, and the default action
//! kills the process. `logrotate` with `copytruncate` cuts live logs in just this way. Shared or private, touched
//! before or not: all four cases were tried on Linux and all four die. So the first mapping installs a handler
//! which puts an anonymous page of zeros under the fault and flags the mapping (as systemd does in
//! `src/basic/sigbus.c`). A fault anywhere else is given back to whoever handled SIGBUS before.
//!
//! Rejected: reading everything into owned memory, which costs 1.2 to 1.7 times the CPU of mapping 8 MiB at a time;
//! and vector instructions left to the compiler, which may assume SSE2 only and has no mask of 64 bytes in it.
#![expect(
    unsafe_code,
    reason = "mapping, SIGBUS, the heap and processor intrinsics cannot be said in safe Rust"
)]
#![expect(
    clippy::inline_always,
    reason = "a lane that is not inlined into the hot loop costs more than its work"
)]

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// Mappings that may be alive at once; more are refused, and the caller reads instead.
const SLOTS: usize = 256;

/// One live mapping as the signal handler sees it. `start` is 0 when free and 1 while being filled in.
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    cut: AtomicBool,
}

static TABLE: [Slot; SLOTS] =
    [const { Slot { start: AtomicUsize::new(0), end: AtomicUsize::new(0), cut: AtomicBool::new(false) } };
        SLOTS];
static PAGE: AtomicUsize = AtomicUsize::new(0);
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

/// A registered place in the table; freed on drop.
struct Registration(usize);

impl Registration {
    fn new(start: usize, end: usize) -> Option<Self> {
        // Each thread begins its search elsewhere in the table only by luck of timing; with a handful of live
        // mappings the first free slot is near.
        let index = TABLE.iter().position(|slot| {
            slot.start.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })?;
        let slot = &TABLE[index];
        slot.cut.store(false, Ordering::SeqCst);
        slot.end.store(end, Ordering::SeqCst);
        slot.start.store(start, Ordering::SeqCst);
        Some(Self(index))
    }

    fn was_cut(&self) -> bool {
        TABLE[self.0].cut.load(Ordering::SeqCst)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let slot = &TABLE[self.0];
        slot.end.store(0, Ordering::SeqCst);
        slot.start.store(0, Ordering::SeqCst);
    }
}

/// A stretch of a file in memory, which stays readable when the file is cut: what was lost reads as zeros.
pub(crate) struct Mapped {
    // Field order is drop order: the handler forgets the range before the pages go.
    registration: Registration,
    map: memmap2::Mmap,
    skip: usize,
}

impl Mapped {
    /// Maps `len` bytes of `file` from `offset`, which need not be at a page boundary. The caller clips the range to
    /// the file's length. Fails where the file system cannot map, and when too many mappings are alive.
    pub(crate) fn new(file: &File, offset: u64, len: usize) -> io::Result<Self> {
        let page = install()? as u64;
        let skip = offset % page;
        let length = len
            .checked_add(skip as usize)
            .filter(|&n| n > 0 && isize::try_from(n).is_ok())
            .ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: the mapping is read-only and private to this type. Its bytes may change while they are read, since
        // another process owns the file; every reader of this crate takes them as untrusted input and none
        // assumes that two reads agree. A cut is survived by the handler installed above.
        #[expect(clippy::disallowed_methods, reason = "this is the place that may map")]
        let map = unsafe { memmap2::MmapOptions::new().offset(offset - skip).len(length).map(file)? };
        let start = map.as_ptr() as usize;
        let end = start + length.next_multiple_of(page as usize);
        let registration = Registration::new(start, end).ok_or(io::ErrorKind::ResourceBusy)?;
        Ok(Self { registration, map, skip: skip as usize })
    }

    /// Whether a page of this mapping was found missing and replaced by zeros.
    pub(crate) fn was_cut(&self) -> bool {
        self.registration.was_cut()
    }

    /// Tells the kernel that probes will jump: a cold probe then reads a page, not megabytes ahead (4-13 ms against
    /// 130 ms for twenty probes of an 8 GiB file). Not for scans, where any advice was measured to gain nothing.
    pub(crate) fn advise_random(&self) {
        // A refused hint costs speed only.
        let _ = self.map.advise(memmap2::Advice::Random);
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[self.skip..]
    }
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mapped").field("len", &self.len()).field("cut", &self.was_cut()).finish()
    }
}

/// Installs the handler, once, and gives the page size.
fn install() -> io::Result<usize> {
    static DONE: OnceLock<Result<usize, i32>> = OnceLock::new();
    DONE.get_or_init(|| {
        // SAFETY: plain queries and one sigaction with fully initialised structures. PREVIOUS is published before
        // any mapping is registered, and never freed.
        unsafe {
            let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap_or(4096).max(512);
            PAGE.store(page, Ordering::SeqCst);
            let mut previous: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) != 0 {
                return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL));
            }
            PREVIOUS.store(Box::into_raw(Box::new(previous)), Ordering::SeqCst);
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_bus_error;
            action.sa_sigaction = handler as usize;
            // ONSTACK: the standard library gives its threads an alternate stack, so a fault on a nearly full
            // stack is handled too.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL));
            }
            Ok(page)
        }
    })
    .map_err(io::Error::from_raw_os_error)
}

/// The handler. Only atomics, `mmap` and `sigaction`: all safe inside a signal. `errno` is touched only where the
/// process is about to die, so it needs no saving.
extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo_t, because SA_SIGINFO is set.
    let address = unsafe { (*info).si_addr() } as usize;
    let mut ours = false;
    // Every match is flagged: a slot that changes hands meanwhile may seem to match, but the faulting thread's own
    // slot cannot change under it. A flag too many costs one look at the file's length.
    for slot in &TABLE {
        let start = slot.start.load(Ordering::SeqCst);
        let end = slot.end.load(Ordering::SeqCst);
        if start > 1 && (start..end).contains(&address) && slot.start.load(Ordering::SeqCst) == start {
            slot.cut.store(true, Ordering::SeqCst);
            ours = true;
        }
    }
    let page = PAGE.load(Ordering::SeqCst);
    if ours && page > 0 {
        // SAFETY: the page lies inside a live mapping made by this file, which nobody may write to; a read-only page
        // of zeros takes its place at the same address.
        let under = unsafe {
            libc::mmap(
                (address & !(page - 1)) as *mut libc::c_void,
                page,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if under != libc::MAP_FAILED {
            return;
        }
    }
    // Not ours: put back what was there, return, and let the fault happen again.
    let previous = PREVIOUS.load(Ordering::SeqCst);
    // SAFETY: PREVIOUS points to a leaked sigaction or is null; a zeroed sigaction is the default action.
    unsafe {
        if previous.is_null() {
            let default: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, &raw const default, ptr::null_mut());
        } else {
            libc::sigaction(signal, previous, ptr::null_mut());
        }
    }
}

/// Asks for large pages for the first part of the heap, and keeps what is freed of it: see [`crate::heap`].
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn prepare_heap() {
    /// Bytes of addresses; memory is taken when it is written to.
    const HEAP: libc::c_int = 16 << 20;
    /// What is longer is mapped by itself, and given back when it is freed.
    const LONG: libc::c_int = 16 << 20;
    /// By how much the heap grows behind that.
    const PIECE: libc::c_int = 1 << 20;
    // SAFETY: settings of the allocator, which it may refuse; a piece of its memory that is given back to it unused; and
    // advice about whole pages between two ends of the heap, which changes none of their bytes.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LONG);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * HEAP);
        libc::mallopt(libc::M_TOP_PAD, HEAP);
        let start = libc::sbrk(0);
        // More than the heap has, so that it grows, once, by all of it; the compiler leaves out what is freed unused.
        let piece = std::hint::black_box(libc::malloc(PIECE as usize));
        let length = (libc::sbrk(0) as usize).wrapping_sub(start as usize);
        // Where another took the addresses it did not grow.
        if (1..=2 * HEAP as usize).contains(&length) {
            libc::madvise(start, length, libc::MADV_HUGEPAGE);
        }
        libc::free(piece);
        libc::mallopt(libc::M_TOP_PAD, PIECE);
    }
}

/// Other allocators go by their own rules.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn prepare_heap() {}

/// Bytes of the longest mask.
pub(crate) const WIDE: usize = 64;

/// What the hot loops ask of the processor.
pub(crate) trait Lanes: Copy {
    /// Bit i is set where byte i is `needle`.
    fn mask(self, bytes: &[u8; WIDE], needle: u8) -> u64;
    /// Bit i is set where byte i of both is the same.
    fn equal(self, a: &[u8; 32], b: &[u8; 32]) -> u32;
    /// Position of the set bit with exactly `lower` set bits below it; 64 when there is none.
    fn select(self, mask: u64, lower: u32) -> u32;
    /// The digits of three ASCII digits, each in four bits, the first (the lowest byte) in the lowest.
    fn digits(self, word: u64) -> usize;
    /// Asks for a cache line that is needed soon.
    fn prefetch(self, bytes: &[u8; WIDE]);
}

/// Runs a generic hot loop compiled for the best lanes of this processor.
pub(crate) trait Job {
    /// What the loop yields.
    type Out;
    /// The loop. Must be `#[inline(always)]`, so that it is compiled anew for each kind of lanes.
    fn run<L: Lanes>(self, lanes: L) -> Self::Out;
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    use super::{Job, Lanes, WIDE};
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8,
        _mm256_set1_epi8, _pdep_u64, _pext_u64,
    };

    /// AVX2 and BMI2. The private field keeps the constructor in `detect`.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Avx2(());

    impl Avx2 {
        /// Where the processor has them.
        pub(crate) fn detect() -> Option<Self> {
            (is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt"))
            .then_some(Self(()))
        }

        /// Runs `job` compiled for these instructions.
        #[inline]
        pub(crate) fn run<J: Job>(self, job: J) -> J::Out {
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
            fn with_features<J: Job>(lanes: Avx2, job: J) -> J::Out {
                job.run(lanes)
            }
            // SAFETY: `self` exists only where `detect` found these features.
            unsafe { with_features(self, job) }
        }
    }

    impl Lanes for Avx2 {
        #[inline(always)]
        fn mask(self, bytes: &[u8; WIDE], needle: u8) -> u64 {
            // SAFETY: `self` proves AVX2; both loads lie inside the 64 bytes.
            unsafe {
                let n = _mm256_set1_epi8(needle.cast_signed());
                let low = _mm256_loadu_si256(bytes.as_ptr().cast());
                let high = _mm256_loadu_si256(bytes.as_ptr().add(32).cast());
                let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, n)).cast_unsigned();
                let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, n)).cast_unsigned();
                u64::from(low) | u64::from(high) << 32
            }
        }

        #[inline(always)]
        fn equal(self, a: &[u8; 32], b: &[u8; 32]) -> u32 {
            // SAFETY: `self` proves AVX2; each load is the whole array.
            unsafe {
                let a = _mm256_loadu_si256(a.as_ptr().cast());
                let b = _mm256_loadu_si256(b.as_ptr().cast());
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)).cast_unsigned()
            }
        }

        #[inline(always)]
        fn select(self, mask: u64, lower: u32) -> u32 {
            if lower >= 64 {
                return 64;
            }
            // SAFETY: `self` proves BMI2.
            unsafe { _pdep_u64(1 << lower, mask) }.trailing_zeros()
        }

        #[inline(always)]
        fn digits(self, word: u64) -> usize {
            // SAFETY: `self` proves BMI2.
            (unsafe { _pext_u64(word, 0x0f_0f0f) }) as usize & 0xfff
        }

        #[inline(always)]
        fn prefetch(self, bytes: &[u8; WIDE]) {
            // SAFETY: a prefetch has no effect but on the cache, and the address is valid.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().cast()) }
        }
    }
}

#[cfg(test)]
mod tests;

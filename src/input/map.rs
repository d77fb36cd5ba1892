//! The one place where files are mapped, and the one place with `unsafe`: a mapping that survives the file being
//! cut short under it. Not for deciding what to map or when: that is `source.rs`.
//!
//! A page of a mapping that lies wholly past the end of its file raises SIGBUS when touched, and the default action
//! kills the process. `logrotate` with `copytruncate` cuts live logs in just this way. Shared or private, touched
//! before or not: all four cases were tried on Linux and all four die. So the first mapping installs a handler
//! which puts an anonymous page of zeros under the fault and flags the mapping (as systemd does in
//! `src/basic/sigbus.c`). A fault anywhere else is given back to whoever handled SIGBUS before.
//!
//! Rejected: reading everything into owned memory, which costs 1.2 to 1.7 times the CPU of mapping 8 MiB at a time.
#![expect(unsafe_code, reason = "mapping a file and handling SIGBUS cannot be said in safe Rust")]

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
pub struct Mapped {
    // Field order is drop order: the handler forgets the range before the pages go.
    registration: Registration,
    map: memmap2::Mmap,
    skip: usize,
}

impl Mapped {
    /// Maps `len` bytes of `file` from `offset`, which need not be at a page boundary. The caller clips the range to
    /// the file's length. Fails where the file system cannot map, and when too many mappings are alive.
    pub fn new(file: &File, offset: u64, len: usize) -> io::Result<Self> {
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
    pub fn was_cut(&self) -> bool {
        self.registration.was_cut()
    }

    /// Tells the kernel that probes will jump: a cold probe then reads a page, not megabytes ahead (4-13 ms against
    /// 130 ms for twenty probes of an 8 GiB file). Not for scans, where any advice was measured to gain nothing.
    pub fn advise_random(&self) {
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

#[cfg(test)]
mod tests;

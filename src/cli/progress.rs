//! How far the work is, on standard error: a bar on a terminal, plain lines elsewhere, nothing for short work.
//!
//! The workers add to an atomic counter and do nothing else; a ticker of its own looks at it ten times a second.

use crate::cli::Choice;
use downtime::analysis::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Shorter work shows nothing: a bar that flashes up tells nobody anything.
const QUIET: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);
/// Plain lines go to a log, and few of them are enough.
const LINE_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct State {
    total: AtomicU64,
    done: AtomicU64,
    over: AtomicBool,
    stage: Mutex<String>,
}

/// Progress that is shown until it is dropped.
#[derive(Debug)]
pub(crate) struct Shown {
    state: Arc<State>,
    ticker: Option<JoinHandle<()>>,
}

impl Shown {
    pub(crate) fn start(choice: Choice) -> Self {
        let state = Arc::new(State::default());
        let terminal = stderr().is_terminal();
        let wanted = match choice {
            Choice::Auto => terminal,
            Choice::Always => true,
            Choice::Never => false,
        };
        let seen = Arc::clone(&state);
        let run = move || if terminal { bar(&seen) } else { lines(&seen) };
        // Without a thread there is no progress to see, and the work goes on.
        let ticker = wanted.then(|| thread::Builder::new().name("progress".into()).spawn(run).ok()).flatten();
        Self { state, ticker }
    }
}

impl Progress for Shown {
    fn total(&self, bytes: u64) {
        self.state.total.store(bytes, Relaxed);
    }

    fn advance(&self, bytes: u64) {
        self.state.done.fetch_add(bytes, Relaxed);
    }

    fn stage(&self, what: &str) {
        what.clone_into(&mut self.state.stage.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.state.over.store(true, Relaxed);
        if let Some(ticker) = self.ticker.take() {
            ticker.thread().unpark();
            let _ = ticker.join();
        }
    }
}

/// Waits, and says whether the work still goes on.
fn wait(state: &State, length: Duration) -> bool {
    let until = Instant::now() + length;
    while !state.over.load(Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::park_timeout(left);
    }
    false
}

fn stage(state: &State) -> String {
    state.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn bar(state: &State) {
    if !wait(state, QUIET) {
        return;
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let template = "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    loop {
        bar.set_length(state.total.load(Relaxed).max(state.done.load(Relaxed)));
        bar.set_position(state.done.load(Relaxed));
        bar.set_message(stage(state));
        if !wait(state, TICK) {
            break;
        }
    }
    bar.finish_and_clear();
}

fn lines(state: &State) {
    while wait(state, LINE_EVERY) {
        let (done, total) = (state.done.load(Relaxed), state.total.load(Relaxed));
        let percent = if total == 0 { 0 } else { u128::from(done) * 100 / u128::from(total) };
        let line = format!("downtime: {} {} %\n", stage(state), percent.min(100));
        let _ = stderr().lock().write_all(line.as_bytes());
    }
}

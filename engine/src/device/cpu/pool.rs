//! A fixed set of threads that share the chunks of one job at a time.
//!
//! The caller works too and never waits for a thread that has not come: threads enter an open job, and the
//! caller closes it when no chunk is left and waits only for those inside. Between jobs threads spin for a
//! moment, because the next verb of a step follows within microseconds, and then sleep.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};

/// Looks at the state before a thread goes to sleep: some tens of microseconds.
const SPINS: u32 = 1000;

/// The low bits of the state count the threads inside; then comes whether the job is open, then its number.
const OPEN: u64 = 1 << 16;
const JOB: u64 = OPEN << 1;
const INSIDE: u64 = OPEN - 1;

/// Threads that help the one that calls [`Pool::run`].
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// One job at a time.
    turn: Mutex<()>,
}

type Task = *const (dyn Fn(usize) + Sync);

struct Shared {
    state: AtomicU64,
    /// The job and how many chunks it has: written while closed and empty, read by threads inside.
    job: UnsafeCell<Option<(Task, usize)>>,
    next: AtomicUsize,
    sleepers: Mutex<Vec<Thread>>,
    any_asleep: AtomicBool,
    stop: AtomicBool,
    panicked: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is the one field that is not thread-safe by itself. It is written only by the caller that holds
// `turn`, while the job is closed and nobody is inside, and read only by threads inside (the state's
// acquire-release order puts the write before); the closure that it points to is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; nothing in it belongs to one thread.
unsafe impl Send for Shared {}

impl Pool {
    /// A pool in which `threads` threads work, the caller's included. Fewer when the system gives no more.
    pub(super) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            next: AtomicUsize::new(0),
            sleepers: Mutex::default(),
            any_asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            panicked: Mutex::default(),
        });
        let spawn = |i: usize| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("cpu-{i}")).spawn(move || shared.serve()).ok()
        };
        let threads = (1..threads).map_while(spawn).collect();
        Self { shared, threads, turn: Mutex::default() }
    }

    /// How many threads work.
    pub(super) fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// Calls `task` once with each of `0..chunks`, on any threads in any order, and returns when all are done.
    pub(super) fn run(&self, chunks: usize, task: &(dyn Fn(usize) + Sync)) {
        if chunks <= 1 || self.threads.is_empty() {
            return (0..chunks).for_each(task);
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: only the lifetime changes; `Closing` outlives no use of the pointer, because it waits for every
        // thread inside before this function returns or unwinds.
        let pointer: Task = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Task>(task) };
        // SAFETY: we hold `turn`, and the last job was closed and left by all.
        unsafe { *self.shared.job.get() = Some((pointer, chunks)) };
        self.shared.next.store(0, Ordering::Relaxed);
        self.shared.state.fetch_add(JOB + OPEN, Ordering::SeqCst);
        let closing = Closing(&self.shared);
        self.shared.wake();
        self.shared.share_chunks(task, chunks);
        drop(closing);
        if let Some(panic) = self.shared.panicked.lock().unwrap_or_else(PoisonError::into_inner).take() {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in &self.threads {
            thread.thread().unpark();
        }
        for thread in self.threads.drain(..) {
            // A panic inside a job was already handed to the caller.
            let _ = thread.join();
        }
    }
}

/// Closes the job when dropped, on return and on unwinding alike.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::SeqCst);
        let mut spins = 0;
        while self.0.state.load(Ordering::Acquire) & INSIDE != 0 {
            spins += 1;
            if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

impl Shared {
    /// A thread's life.
    fn serve(&self) {
        let mut done = 0;
        while let Some(job) = self.wait(done) {
            done = job;
            if self.enter(job) {
                // SAFETY: we are inside an open job, so it is set, and its closure lives until we leave.
                if let Some((task, chunks)) = unsafe { *self.job.get() } {
                    // SAFETY: as above.
                    let task = unsafe { &*task };
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.share_chunks(task, chunks))) {
                        *self.panicked.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
                    }
                }
                self.state.fetch_sub(1, Ordering::Release);
            }
        }
    }

    fn share_chunks(&self, task: &(dyn Fn(usize) + Sync), chunks: usize) {
        loop {
            let chunk = self.next.fetch_add(1, Ordering::Relaxed);
            if chunk >= chunks {
                return;
            }
            task(chunk);
        }
    }

    /// The number of an open job other than `done`; `None` when the pool ends.
    fn wait(&self, done: u64) -> Option<u64> {
        let fresh = || {
            let state = self.state.load(Ordering::SeqCst);
            (state & OPEN != 0 && state / JOB != done).then_some(state / JOB)
        };
        loop {
            for _ in 0..SPINS {
                if self.stop.load(Ordering::Relaxed) {
                    return None;
                }
                if let Some(job) = fresh() {
                    return Some(job);
                }
                std::hint::spin_loop();
            }
            self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).push(std::thread::current());
            self.any_asleep.store(true, Ordering::SeqCst);
            // A job that opened before the line above is seen here; one that opens after it wakes us.
            if fresh().is_none() && !self.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
        }
    }

    fn wake(&self) {
        if self.any_asleep.swap(false, Ordering::SeqCst) {
            let sleepers = std::mem::take(&mut *self.sleepers.lock().unwrap_or_else(PoisonError::into_inner));
            sleepers.iter().for_each(Thread::unpark);
        }
    }

    /// Goes inside, if the job is still open.
    fn enter(&self, job: u64) -> bool {
        let mut state = self.state.load(Ordering::Acquire);
        while state & OPEN != 0 && state / JOB == job {
            match self.state.compare_exchange_weak(state, state + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_runs_once_in_every_job() {
        let pool = Pool::new(4);
        for chunks in [0, 1, 2, 3, 7, 100].into_iter().cycle().take(3000) {
            let counts: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
            pool.run(chunks, &|i| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(3);
        for _ in 0..20 {
            let result = catch_unwind(AssertUnwindSafe(|| pool.run(8, &|i| assert!(i != 5, "chunk five"))));
            assert!(result.is_err());
        }
        let sum = AtomicUsize::new(0);
        pool.run(10, &|i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 45);
    }
}

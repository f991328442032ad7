//! What a pressed process does about it: evicts blocks, and gives freed memory back to the kernel.
//!
//! A thread of its own, since both take their time, and the watch must go on looking meanwhile.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use firesteel_executor::{Environment, resident_bytes};
use firesteel_model::ByteCount;
use tracing::debug;

use crate::freed_memory;

/// Freed memory is given back at most so often …
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
/// … and at least so often, as long as the process is pressed. It costs tasks the time for which it locks the heap, so the pause
/// doubles while it does not help: what is held is in use then.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Giving back takes at most this part of the time.
const SHARE_OF_TIME: u32 = 10;
/// What helps: less would be noise.
const HELP: ByteCount = ByteCount::mib(4);

/// Asks for relief.
pub(crate) struct MemoryRelief(SyncSender<()>);

impl MemoryRelief {
    /// Starts the thread, which ends with this.
    pub(crate) fn start(environment: Arc<Environment>) -> io::Result<Self> {
        // One: who asks while relief is under way is served by the next round, however often it has asked.
        let (ask, asked) = sync_channel(1);
        thread::Builder::new().name("memory-relief".to_owned()).spawn(move || {
            let mut schedule = Schedule::new(Instant::now());
            for () in asked {
                let evicted = environment.relieve_memory();
                if evicted > ByteCount::ZERO {
                    debug!(%evicted, "blocks were evicted, as the process is larger than it should be");
                }
                schedule.give_back();
            }
        })?;
        Ok(Self(ask))
    }

    /// The process is pressed.
    pub(crate) fn ask(&self) {
        match self.0.try_send(()) {
            // It is asked already.
            Ok(()) | Err(TrySendError::Full(())) => {}
            // Its thread has panicked, which was printed; the watch does what it can without it.
            Err(TrySendError::Disconnected(())) => {}
        }
    }
}

/// When freed memory is given back.
struct Schedule {
    due: Instant,
    pause: Duration,
}

impl Schedule {
    fn new(now: Instant) -> Self {
        Self { due: now, pause: SHORTEST_PAUSE }
    }

    fn give_back(&mut self) {
        let begun = Instant::now();
        if begun < self.due {
            return;
        }
        let before = resident_bytes();
        freed_memory::give_back();
        let given_back = ByteCount(before.saturating_sub(resident_bytes()));
        let ended = Instant::now();
        self.gave_back(ended, ended - begun, given_back);
        debug!(%given_back, took = ?(ended - begun), "freed memory was given back to the kernel");
    }

    fn gave_back(&mut self, now: Instant, took: Duration, given_back: ByteCount) {
        self.pause = if given_back >= HELP { SHORTEST_PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
        self.due = now + self.pause.max(took * (SHARE_OF_TIME - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_often_while_that_helps_and_more_rarely_while_it_does_not() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let mut pause_after = |took: u64, given_back: u64| {
            schedule.gave_back(start, Duration::from_millis(took), ByteCount::mib(given_back));
            (schedule.due - start).as_millis()
        };
        assert_eq!([pause_after(1, 100), pause_after(1, 4)], [250, 250]);
        let in_vain: Vec<u128> = (0..6).map(|_| pause_after(1, 3)).collect();
        assert_eq!(in_vain, [500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(pause_after(1, 5), 250);
        assert_eq!(pause_after(1000, 500), 9000, "a tenth of the time");
    }

    #[test]
    fn what_was_freed_goes_back_to_the_kernel() {
        // Every second one stays, so that none of the rest is at the end of a heap. Smaller than what the C library maps apart.
        const BYTES: usize = 32 << 10;
        let mut pieces: Vec<Option<Vec<u8>>> = (0..8192).map(|_| Some(vec![1; BYTES])).collect();
        let full = resident_bytes();
        pieces.iter_mut().step_by(2).for_each(|piece| *piece = None);
        freed_memory::give_back();
        let freed = full.saturating_sub(resident_bytes());
        if cfg!(target_env = "gnu") {
            assert!(freed > 64 << 20, "of 128 MiB that were freed, {} went back", ByteCount(freed));
        }
        assert!(pieces.iter().flatten().all(|piece| piece.len() == BYTES));
    }
}

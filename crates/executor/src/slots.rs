//! What an executor's slots have to do next, and which outcomes may leave: decisions only, with time passed in.
//!
//! Short tasks are launched ahead of free slots (`spark.scheduler.launchAhead.maxTasksPerSlot`). Three rules follow. A slot takes
//! the oldest task that waits. Outcomes are held back while more are about to follow, so that a message carries many. Tasks
//! that wait behind long ones are given back to the driver, which may have a free slot elsewhere.

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

/// How often [`Slots::look`] is called while there is anything to look at. No outcome is held back for much longer.
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_millis(2);
/// If no task has started between so many looks, those that wait are given back.
const LOOKS_TO_RETURN: u32 = 5;
/// So many outcomes leave at once, even if more are to follow: the driver can launch other tasks meanwhile.
const OUTCOMES_TOGETHER: usize = 16;

/// The slots of one executor, tasks `T` that wait for them, and outcomes `O` that wait to be sent.
pub(crate) struct Slots<T, O> {
    slots: usize,
    busy: usize,
    waiting: VecDeque<T>,
    /// How many tasks have started, ever.
    started: u64,
    ended: Vec<O>,
    /// When the first of them ended.
    ended_since: Option<Instant>,
    /// Is somebody going to call [`Self::look`]?
    watched: bool,
    /// How many looks in a row have seen tasks wait and none start.
    looks: u32,
    started_at_look: u64,
}

/// What a look has found to do.
pub(crate) struct Look<T, O> {
    /// To be sent now.
    pub(crate) ended: Vec<O>,
    /// To be given back; they have not started and never will here.
    pub(crate) returned: Vec<T>,
}

impl<T, O> Slots<T, O> {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots,
            busy: 0,
            waiting: VecDeque::new(),
            started: 0,
            ended: Vec::new(),
            ended_since: None,
            watched: false,
            looks: 0,
            started_at_look: 0,
        }
    }

    pub(crate) fn push(&mut self, task: T) {
        self.waiting.push_back(task);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The oldest waiting task, which takes a slot.
    pub(crate) fn start(&mut self) -> Option<T> {
        let task = self.waiting.pop_front()?;
        self.busy += 1;
        self.started += 1;
        Some(task)
    }

    /// A task gives its slot back. What is to be sent now: nothing, if more is about to follow.
    pub(crate) fn end(&mut self, outcome: O, now: Instant) -> Vec<O> {
        self.busy -= 1;
        self.ended.push(outcome);
        let since = *self.ended_since.get_or_insert(now);
        let more_follow = self.watched && !self.waiting.is_empty();
        if more_follow && self.ended.len() < OUTCOMES_TOGETHER && now.duration_since(since) < WATCH_INTERVAL {
            return Vec::new();
        }
        self.take_ended()
    }

    /// Every outcome that was held back.
    pub(crate) fn take_ended(&mut self) -> Vec<O> {
        self.ended_since = None;
        mem::take(&mut self.ended)
    }

    /// Must somebody begin to look now and then, who does not yet? Counts on it from then on.
    pub(crate) fn wants_watching(&mut self) -> bool {
        let wants = !self.watched && self.waiting.len() > self.slots - self.busy;
        if wants {
            self.watched = true;
            self.looks = 0;
            self.started_at_look = self.started;
        }
        wants
    }

    /// Is there nothing to look at? Then nobody looks any more, until [`Self::wants_watching`] says so again.
    pub(crate) fn rest(&mut self) -> bool {
        self.watched = !(self.waiting.is_empty() && self.ended.is_empty());
        !self.watched
    }

    /// Nobody is going to look after all; what was held back is to be sent now.
    pub(crate) fn stop_watching(&mut self) -> Vec<O> {
        self.watched = false;
        self.take_ended()
    }

    /// To be called each [`WATCH_INTERVAL`].
    pub(crate) fn look(&mut self, now: Instant) -> Look<T, O> {
        let idle_look = !self.waiting.is_empty() && self.started == self.started_at_look;
        self.looks = if idle_look { self.looks + 1 } else { 0 };
        self.started_at_look = self.started;
        let held_back = self.ended_since.is_some_and(|since| now.duration_since(since) >= WATCH_INTERVAL);
        let ended = if held_back { self.take_ended() } else { Vec::new() };
        // While a slot is free, the first of them is as good as started, whatever delays the slot's thread; the driver takes
        // it for started.
        let give_back = self.looks >= LOOKS_TO_RETURN && self.busy == self.slots;
        let returned = if give_back { self.waiting.drain(..).collect() } else { Vec::new() };
        Look { ended, returned }
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks so often, an interval apart; what each found, by size.
    fn looks(slots: &mut Slots<u32, u32>, from: Instant, count: u32) -> Vec<(Vec<u32>, Vec<u32>)> {
        let look = |number| slots.look(from + WATCH_INTERVAL * number);
        (1..=count).map(look).map(|look| (look.ended, look.returned)).collect()
    }

    #[test]
    fn one_task_for_a_free_slot_is_started_and_reported_at_once() {
        let (mut slots, now) = (Slots::new(1), Instant::now());
        slots.push(7);
        assert!(!slots.wants_watching());
        assert_eq!(slots.start(), Some(7));
        assert_eq!(slots.end(70, now), [70]);
        assert!(slots.rest());
    }

    #[test]
    fn outcomes_are_held_back_while_tasks_wait_and_leave_with_the_last() {
        let (mut slots, now) = (Slots::new(1), Instant::now());
        (0..3).for_each(|task| slots.push(task));
        assert!(slots.wants_watching());
        let sent: Vec<Vec<u32>> = (0..3).map(|task| (slots.start(), slots.end(task, now)).1).collect();
        assert_eq!(sent, [vec![], vec![], vec![0, 1, 2]]);
    }

    #[test]
    fn a_full_message_and_an_old_outcome_leave_though_tasks_wait() {
        let (mut slots, now) = (Slots::new(1), Instant::now());
        (0..100).for_each(|task| slots.push(task));
        assert!(slots.wants_watching());
        let sent = (0..OUTCOMES_TOGETHER as u32).map(|task| (slots.start(), slots.end(task, now)).1.len());
        assert_eq!(sent.max(), Some(OUTCOMES_TOGETHER));
        slots.start();
        assert!(slots.end(50, now).is_empty());
        slots.start();
        assert_eq!(slots.end(51, now + WATCH_INTERVAL), [50, 51]);
    }

    #[test]
    fn nothing_is_held_back_if_nobody_looks() {
        let (mut slots, now) = (Slots::new(1), Instant::now());
        (0..3).for_each(|task| slots.push(task));
        slots.start();
        assert_eq!(slots.end(0, now), [0]);
    }

    #[test]
    fn an_outcome_leaves_while_the_next_task_takes_long_and_those_behind_it_go_back() {
        let (mut slots, now) = (Slots::new(1), Instant::now());
        (0..4).for_each(|task| slots.push(task));
        assert!(slots.wants_watching());
        slots.start();
        assert!(slots.end(0, now).is_empty());
        slots.start();
        let found = looks(&mut slots, now, LOOKS_TO_RETURN + 1);
        assert_eq!(found[0], (vec![0], vec![]));
        assert!(found[1..LOOKS_TO_RETURN as usize].iter().all(|found| *found == (vec![], vec![])));
        assert_eq!(found[LOOKS_TO_RETURN as usize], (vec![], vec![2, 3]));
        assert!(slots.rest());
    }

    #[test]
    fn nothing_goes_back_while_tasks_start_or_a_slot_is_free() {
        let (mut slots, now) = (Slots::new(2), Instant::now());
        (0..40).for_each(|task| slots.push(task));
        assert!(slots.wants_watching());
        slots.start();
        assert!(looks(&mut slots, now, 20).iter().all(|(_, returned)| returned.is_empty()), "a slot is free");
        slots.start();
        for _ in 0..20 {
            slots.end(0, now);
            slots.start();
            assert!(slots.look(now).returned.is_empty(), "tasks start");
        }
    }

    #[test]
    fn who_looks_rests_only_when_nothing_waits_and_is_asked_for_once() {
        let (mut slots, now) = (Slots::new(1), Instant::now());
        (0..2).for_each(|task| slots.push(task));
        assert!(slots.wants_watching());
        assert!(!slots.wants_watching());
        slots.start();
        assert!(!slots.rest());
        slots.end(0, now);
        slots.start();
        assert!(!slots.rest(), "an outcome waits");
        assert_eq!(slots.look(now + WATCH_INTERVAL).ended, [0]);
        assert!(slots.rest());
        slots.push(3);
        slots.push(4);
        assert!(slots.wants_watching());
    }
}

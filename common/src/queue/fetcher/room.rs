//! Which worker a task goes to: of those with room for one that which has the fewest, and of these the one that has had so few for
//! longest. So nothing waits behind another task while there is a worker without one.

/// Of which worker comes next: none.
const NOBODY: u32 = u32::MAX;

/// What the workers of a dyno have, and have room for. No operation goes through all of them.
#[derive(Debug)]
pub(super) struct Room {
    workers: Vec<Of>,
    /// By how many tasks they have: the first and the last of those with room for another, in the order in which they came to have so many.
    levels: Vec<(u32, u32)>,
    /// There is nobody below this level.
    lowest: usize,
    free: usize,
}

/// One worker.
#[derive(Debug, Clone, Copy)]
struct Of {
    has: u32,
    most: u32,
    withheld: bool,
    /// Its neighbours among those that have as many.
    before: u32,
    after: u32,
}

impl Room {
    /// For so many tasks in all, spread evenly.
    pub(super) fn new(workers: u32, places: u32) -> Room {
        let most = |worker: u32| places / workers.max(1) + u32::from(worker < places % workers.max(1));
        let of = |worker| Of { has: 0, most: most(worker), withheld: false, before: NOBODY, after: NOBODY };
        let levels = vec![(NOBODY, NOBODY); places.div_ceil(workers.max(1)) as usize];
        let mut room = Room { workers: (0..workers).map(of).collect(), levels, lowest: 0, free: 0 };
        (0..workers).for_each(|worker| room.enter(worker));
        room
    }

    /// Tasks that there is room for.
    pub(super) fn free(&self) -> usize {
        self.free
    }

    /// Whether a worker has no task.
    pub(super) fn is_idle(&self, worker: u32) -> bool {
        self.workers[worker as usize].has == 0
    }

    /// A place for a task.
    pub(super) fn take(&mut self) -> Option<u32> {
        let nobody = |level: &&(u32, u32)| level.0 == NOBODY;
        self.lowest += self.levels[self.lowest..].iter().take_while(nobody).count();
        let worker = self.levels.get(self.lowest)?.0;
        self.leave(worker);
        self.workers[worker as usize].has += 1;
        self.enter(worker);
        Some(worker)
    }

    /// A worker has a task less.
    pub(super) fn give(&mut self, worker: u32) {
        self.leave(worker);
        let of = &mut self.workers[worker as usize];
        of.has = of.has.saturating_sub(1);
        self.enter(worker);
    }

    /// It gets no task until it is restored.
    pub(super) fn withhold(&mut self, worker: u32) {
        self.leave(worker);
        self.workers[worker as usize].withheld = true;
    }

    /// Ends [`Room::withhold`].
    pub(super) fn restore(&mut self, worker: u32) {
        self.leave(worker);
        self.workers[worker as usize].withheld = false;
        self.enter(worker);
    }

    /// Where those are of whom `worker` is one, if it has room.
    fn level(&self, worker: u32) -> Option<usize> {
        let of = self.workers[worker as usize];
        (of.has < of.most && !of.withheld).then_some(of.has as usize)
    }

    fn enter(&mut self, worker: u32) {
        let Some(level) = self.level(worker) else { return };
        let of = &mut self.workers[worker as usize];
        self.free += (of.most - of.has) as usize;
        self.lowest = self.lowest.min(level);
        let (first, last) = &mut self.levels[level];
        (of.before, of.after) = (*last, NOBODY);
        match std::mem::replace(last, worker) {
            NOBODY => *first = worker,
            last => self.workers[last as usize].after = worker,
        }
    }

    fn leave(&mut self, worker: u32) {
        let Some(level) = self.level(worker) else { return };
        let Of { has, most, before, after, .. } = self.workers[worker as usize];
        self.free -= (most - has) as usize;
        match before {
            NOBODY => self.levels[level].0 = after,
            before => self.workers[before as usize].after = after,
        }
        match after {
            NOBODY => self.levels[level].1 = before,
            after => self.workers[after as usize].before = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Room;

    fn take(room: &mut Room, count: usize) -> Vec<u32> {
        (0..count).map_while(|_| room.take()).collect()
    }

    #[test]
    fn nobody_gets_a_second_task_while_somebody_has_none() {
        let mut room = Room::new(2, 4);
        assert_eq!((room.free(), take(&mut room, 1)), (4, vec![0]));
        room.give(0);
        // The one that has had none for longer.
        assert_eq!(take(&mut room, 1), [1]);
        assert_eq!(take(&mut room, 1), [0]);
        room.give(0);
        // The other is still at its task.
        assert_eq!(take(&mut room, 5), [0, 1, 0]);
        assert_eq!((room.free(), room.take()), (0, None));
    }

    #[test]
    fn more_places_than_workers_are_spread() {
        let mut room = Room::new(3, 5);
        assert_eq!(take(&mut room, 9), [0, 1, 2, 0, 1]);
        assert_eq!(Room::new(3, 0).take(), None);
    }

    #[test]
    fn who_is_withheld_gets_nothing() {
        let mut room = Room::new(2, 2);
        room.withhold(0);
        assert_eq!((room.free(), take(&mut room, 2)), (1, vec![1]));
        room.restore(0);
        assert_eq!((room.free(), take(&mut room, 2)), (1, vec![0]));
        assert!(!room.is_idle(0));
        room.withhold(0);
        room.give(0);
        assert_eq!((room.free(), room.is_idle(0)), (0, true));
    }

    proptest! {
        /// Against going through all of them.
        #[test]
        fn it_is_the_one_with_the_fewest(workers in 1u32..6, places in 0u32..20, steps in prop::collection::vec(0u32..12, 0..200)) {
            let mut room = Room::new(workers, places);
            let most = |worker: u32| places / workers + u32::from(worker < places % workers);
            let mut has = vec![0u32; workers as usize];
            for step in steps {
                if step < workers {
                    if has[step as usize] > 0 {
                        has[step as usize] -= 1;
                        room.give(step);
                    }
                } else {
                    let fewest = (0..workers).filter(|&w| has[w as usize] < most(w)).map(|w| has[w as usize]).min();
                    let taken = room.take();
                    prop_assert_eq!(taken.map(|worker| has[worker as usize]), fewest);
                    if let Some(worker) = taken {
                        has[worker as usize] += 1;
                    }
                }
                prop_assert_eq!(room.free(), (places - has.iter().sum::<u32>()) as usize);
            }
        }
    }
}

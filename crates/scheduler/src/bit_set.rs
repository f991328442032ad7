//! A set of task indexes: one bit each.

/// Holds numbers below the size it was made with.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct BitSet {
    words: Vec<u64>,
    size: u32,
    count: u32,
}

impl BitSet {
    pub(crate) fn new(size: u32) -> Self {
        Self { words: vec![0; size.div_ceil(64) as usize], size, count: 0 }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count == self.size
    }

    pub(crate) fn contains(&self, index: u32) -> bool {
        index < self.size && self.words[(index / 64) as usize] & (1 << (index % 64)) != 0
    }

    /// Was it missing before?
    pub(crate) fn insert(&mut self, index: u32) -> bool {
        let missing = !self.contains(index);
        if missing {
            self.words[(index / 64) as usize] |= 1 << (index % 64);
            self.count += 1;
        }
        missing
    }

    /// Was it there before?
    pub(crate) fn remove(&mut self, index: u32) -> bool {
        let present = self.contains(index);
        if present {
            self.words[(index / 64) as usize] &= !(1 << (index % 64));
            self.count -= 1;
        }
        present
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
        self.count = 0;
    }

    /// What is not in the set, ascending.
    pub(crate) fn missing(&self) -> Vec<u32> {
        (0..self.size).filter(|&index| !self.contains(index)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::BitSet;

    #[test]
    fn counts_what_it_holds() {
        let mut set = BitSet::new(130);
        assert!(set.insert(0) && set.insert(64) && set.insert(129));
        assert!(!set.insert(64));
        assert!(set.remove(64) && !set.remove(64));
        assert!(set.contains(129) && !set.contains(64) && !set.contains(5000));
        assert_eq!((set.count(), set.is_full(), set.missing().len()), (2, false, 128));
        (0..130).for_each(|index| _ = set.insert(index));
        assert!(set.is_full());
        set.clear();
        assert_eq!((set.count(), set.contains(0)), (0, false));
    }
}

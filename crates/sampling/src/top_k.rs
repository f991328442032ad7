//! The first few elements in an order, without sorting all: `takeOrdered` and `top`.
//!
//! Elements gather in a vector of twice the wanted number; when it is full, the better half is selected and the other half
//! forgotten. Per element that is one comparison with the worst one kept, and no heap to keep in order.

use std::cmp::Ordering;

/// The least `k` elements by an order, of any number of elements. For the greatest, reverse the order.
///
/// Of equal elements those that came first are kept, and come first.
#[derive(Clone, Debug)]
pub struct TopK<T, F> {
    k: usize,
    compare: F,
    /// Elements with their numbers, by which equal ones keep their order.
    elements: Vec<(T, u64)>,
    added: u64,
    /// `elements[k - 1]` is the worst of the first `k`, all of which are better than anything that was forgotten.
    is_bounded: bool,
}

impl<T, F: Fn(&T, &T) -> Ordering> TopK<T, F> {
    /// Keeps the least `k` elements. Memory is at most for `2 k` of them.
    pub fn new(k: usize, compare: F) -> Self {
        Self { k, compare, elements: Vec::new(), added: 0, is_bounded: false }
    }

    /// Takes an element, if it is among the least so far.
    #[inline]
    pub fn add(&mut self, element: T) {
        let number = self.added;
        self.added += 1;
        if self.k == 0 {
            return;
        }
        // An element equal to the worst one came later than it, and is refused as well.
        if self.is_bounded && (self.compare)(&element, &self.elements[self.k - 1].0).is_ge() {
            return;
        }
        self.elements.push((element, number));
        if self.elements.len() == self.k.saturating_mul(2) {
            self.select();
        }
    }

    /// The elements in order.
    pub fn into_sorted(mut self) -> Vec<T> {
        let compare = &self.compare;
        self.elements.sort_unstable_by(|a, b| compare(&a.0, &b.0).then(a.1.cmp(&b.1)));
        self.elements.truncate(self.k);
        self.elements.into_iter().map(|(element, _)| element).collect()
    }

    fn select(&mut self) {
        let compare = &self.compare;
        self.elements.select_nth_unstable_by(self.k - 1, |a, b| compare(&a.0, &b.0).then(a.1.cmp(&b.1)));
        self.elements.truncate(self.k);
        self.is_bounded = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What sorting everything, stably, and cutting it off gives; also over partitions.
        #[test]
        fn is_the_head_of_the_sorted(partitions in prop::collection::vec(prop::collection::vec((0u8..20, any::<u32>()), 0..80), 1..4), k in 0usize..30) {
            let compare = |a: &(u8, u32), b: &(u8, u32)| a.0.cmp(&b.0);
            let mut all = TopK::new(k, compare);
            for partition in &partitions {
                let mut top = TopK::new(k, compare);
                partition.iter().for_each(|element| top.add(*element));
                prop_assert!(top.elements.len() <= 2 * k);
                top.into_sorted().into_iter().for_each(|element| all.add(element));
            }
            let mut expected = partitions.concat();
            expected.sort_by_key(|element| element.0);
            expected.truncate(k);
            prop_assert_eq!(all.into_sorted(), expected);
        }
    }

    #[test]
    fn the_greatest_come_by_the_reversed_order() {
        let mut top = TopK::new(3, |a: &u32, b: &u32| b.cmp(a));
        (0..100).for_each(|element| top.add(element * 7 % 100));
        assert_eq!(top.into_sorted(), [99, 98, 97]);
    }
}

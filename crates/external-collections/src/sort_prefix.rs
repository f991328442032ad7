//! The first bytes of a key as a number, so that most comparisons of a sort stay in one array.
//!
//! Comparing two strings fetches both from wherever the allocator has put them, and a sort of a million strings does so
//! twenty million times: nearly half of the time of a sort of 100-byte lines was spent waiting for that memory. Eight bytes
//! of each, gathered once, decide almost all comparisons. Spark's `PrefixComparators` have the same idea.

use std::any::Any;

/// How to get the prefix of a key of type `K`: a number such that keys with different prefixes are in the order of their
/// prefixes by `Ord`, and keys with equal prefixes in any. None for types whose keys hold what decides in themselves, or
/// about which nothing is known here: comparing those is as good.
pub fn sort_prefix<K: 'static>() -> Option<fn(&K) -> u64> {
    if is::<K, String>() {
        Some(|key| cast::<K, String>(key).map_or(0, |text| first_bytes(text.as_bytes())))
    } else if is::<K, Vec<u8>>() {
        Some(|key| cast::<K, Vec<u8>>(key).map_or(0, |bytes| first_bytes(bytes)))
    } else {
        None
    }
}

/// How to get the first byte of what a key of type `K` holds elsewhere in memory; zero if that is nothing. None for types
/// about which nothing is known here.
pub(crate) fn first_byte<K: 'static>() -> Option<fn(&K) -> u8> {
    if is::<K, String>() {
        Some(|key| cast::<K, String>(key).and_then(|text| text.as_bytes().first()).map_or(0, |byte| *byte))
    } else if is::<K, Vec<u8>>() {
        Some(|key| cast::<K, Vec<u8>>(key).and_then(|bytes| bytes.first()).map_or(0, |byte| *byte))
    } else {
        None
    }
}

fn is<K: 'static, T: 'static>() -> bool {
    std::any::TypeId::of::<K>() == std::any::TypeId::of::<T>()
}

fn cast<K: 'static, T: 'static>(key: &K) -> Option<&T> {
    (key as &dyn Any).downcast_ref()
}

/// The first eight bytes; where there are fewer, zeros in their place, which are not more than any byte.
fn first_bytes(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = bytes.len().min(first.len());
    first[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn different_prefixes_are_in_the_order_of_their_keys(left in "[\0ab\u{ff}]{0,10}", right in "[\0ab\u{ff}]{0,10}") {
            let prefix = sort_prefix::<String>().unwrap();
            let order = prefix(&left).cmp(&prefix(&right));
            prop_assert!(order.is_eq() || order == left.cmp(&right));
            let (left, right) = (left.into_bytes(), right.into_bytes());
            let prefix = sort_prefix::<Vec<u8>>().unwrap();
            let order = prefix(&left).cmp(&prefix(&right));
            prop_assert!(order.is_eq() || order == left.cmp(&right));
        }
    }

    #[test]
    fn numbers_need_none() {
        assert!(sort_prefix::<u64>().is_none());
    }
}

//! Joins and cogroups, compared with nested loops.

use std::collections::BTreeSet;

use firesteel::{HashPartitioner, Rdd};
use proptest::prelude::*;

use crate::common::{partitioned, sorted};

type Pairs = Vec<Vec<(u8, u16)>>;
type PairRdd = Rdd<(u8, u16)>;

fn pairs() -> impl Strategy<Value = Pairs> {
    prop::collection::vec(prop::collection::vec((0u8..8, 0u16..100), 0..10), 1..4)
}

/// Both sides as they are, or one of them or both partitioned beforehand: the result is the same.
fn variants(left: &Pairs, right: &Pairs) -> Vec<(PairRdd, PairRdd)> {
    let (left, right) = (partitioned(left), partitioned(right));
    let partitioner = HashPartitioner::new(3);
    let (left_by, right_by) = (left.partition_by(&partitioner), right.partition_by(&partitioner));
    vec![(left.clone(), right.clone()), (left_by.clone(), right), (left, right_by.clone()), (left_by, right_by)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn joins_are_nested_loops(left in pairs(), right in pairs()) {
        let (lefts, rights) = (left.concat(), right.concat());
        let has = |side: &[(u8, u16)], key: u8| side.iter().any(|pair| pair.0 == key);
        let mut inner = Vec::new();
        for (key, value) in &lefts {
            inner.extend(rights.iter().filter(|pair| pair.0 == *key).map(|pair| (*key, (*value, pair.1))));
        }
        let only_left: Vec<(u8, u16)> = lefts.iter().filter(|pair| !has(&rights, pair.0)).copied().collect();
        let only_right: Vec<(u8, u16)> = rights.iter().filter(|pair| !has(&lefts, pair.0)).copied().collect();
        let matched = || inner.iter().copied();
        for (a, b) in variants(&left, &right) {
            prop_assert_eq!(sorted(a.join(&b).collect().unwrap()), sorted(matched()));
            let expected = matched().map(|(k, (v, w))| (k, (v, Some(w))))
                .chain(only_left.iter().map(|(k, v)| (*k, (*v, None))));
            prop_assert_eq!(sorted(a.left_outer_join(&b).collect().unwrap()), sorted(expected));
            let expected = matched().map(|(k, (v, w))| (k, (Some(v), w)))
                .chain(only_right.iter().map(|(k, w)| (*k, (None, *w))));
            let expected = sorted(expected);
            prop_assert_eq!(&sorted(a.right_outer_join_with(&b, 2).collect().unwrap()), &expected);
            prop_assert_eq!(&sorted(a.right_outer_join(&b).collect().unwrap()), &expected);
            let expected = matched().map(|(k, (v, w))| (k, (Some(v), Some(w))))
                .chain(only_left.iter().map(|(k, v)| (*k, (Some(*v), None))))
                .chain(only_right.iter().map(|(k, w)| (*k, (None, Some(*w)))));
            prop_assert_eq!(sorted(a.full_outer_join(&b).collect().unwrap()), sorted(expected));
            prop_assert_eq!(sorted(a.subtract_by_key(&b).collect().unwrap()), sorted(only_left.clone()));
        }
    }

    #[test]
    fn cogroups_hold_each_value_once(left in pairs(), right in pairs()) {
        let values = |side: &Pairs, key: u8| sorted(side.concat().into_iter().filter(|pair| pair.0 == key).map(|pair| pair.1));
        let keys: BTreeSet<u8> = left.concat().into_iter().chain(right.concat()).map(|pair| pair.0).collect();
        for (a, b) in variants(&left, &right) {
            let groups: Vec<_> = a.cogroup(&b).collect().unwrap();
            let groups = sorted(groups.into_iter().map(|(key, (v, w))| (key, sorted(v), sorted(w))));
            let expected: Vec<_> = keys.iter().map(|key| (*key, values(&left, *key), values(&right, *key))).collect();
            prop_assert_eq!(groups, expected);
            let groups: Vec<_> = a.cogroup4(&b, &a, &b).collect().unwrap();
            let groups = sorted(groups.into_iter().map(|(key, (v, w, x, y))| (key, sorted(v), sorted(w), sorted(x), sorted(y))));
            let expected: Vec<_> = keys.iter().map(|key| {
                let (v, w) = (values(&left, *key), values(&right, *key));
                (*key, v.clone(), w.clone(), v, w)
            }).collect();
            prop_assert_eq!(groups, expected);
            let expected: Vec<_> = keys.iter().map(|key| {
                let (v, w) = (values(&left, *key), values(&right, *key));
                (*key, v, w.clone(), w)
            }).collect();
            for groups in [a.cogroup3(&b, &b), a.cogroup3_with(&b, &b, 2)] {
                let groups = groups.collect().unwrap().into_iter();
                let groups = sorted(groups.map(|(key, (v, w, x))| (key, sorted(v), sorted(w), sorted(x))));
                prop_assert_eq!(&groups, &expected);
            }
        }
    }
}

#[test]
fn sides_that_are_partitioned_alike_are_joined_without_a_shuffle() {
    let left = partitioned(&[vec![(1u8, 1u16)], vec![(2, 2)]]).partition_by(4);
    let right = partitioned(&[vec![(1u8, 3u16)]]).partition_by(4);
    let joined = left.join(&right);
    assert!(joined.dependencies().iter().all(|dependency| !dependency.is_shuffle()));
    assert_eq!(joined.partitioner(), left.partitioner());
    assert_eq!(joined.collect().unwrap(), [(1, (1, 3))]);
    let other = partitioned(&[vec![(1u8, 3u16)]]);
    let shuffles = |rdd: &Rdd<(u8, (u16, u16))>| {
        rdd.dependencies().iter().map(|dependency| dependency.is_shuffle()).collect::<Vec<_>>()
    };
    assert_eq!(shuffles(&left.join(&other)), [false, true]);
    assert_eq!(shuffles(&other.join(&left)), [true, false]);
    assert_eq!(shuffles(&left.join_with(&right, 5)), [true, true]);
}

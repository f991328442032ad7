//! Records in memory in the order of a sort, which may be an order beside them.

use std::{cmp::Ordering, hint::black_box};

/// The bytes that an order beside the records needs for each of them.
pub(crate) const ORDER_BYTES: usize = size_of::<Place>();

/// The prefix of a record, and where it stands.
type Place = (u64, u32);

/// So many records are taken from their places together: about as many as a processor has misses of its cache under way.
const BATCH: usize = 16;

/// Records to be given away in order.
pub(crate) enum SortedRecords<T> {
    /// As they stand.
    Moved(std::vec::IntoIter<T>),
    /// From their places.
    Ordered(Ordered<T>),
}

/// Records to be given away in an order beside them.
///
/// Each is somewhere else in memory, and so is what it holds. Whoever asks for the records one by one, and looks at each,
/// waits for one at a time; so some are taken at once in one loop, which also looks at what each begins with.
pub(crate) struct Ordered<T> {
    order: std::vec::IntoIter<Place>,
    records: Vec<Option<T>>,
    prefix: Prefix<T>,
    /// The next ones, in reverse.
    taken: Vec<T>,
}

/// How to get a record's prefix.
pub(crate) type Prefix<T> = std::rc::Rc<dyn Fn(&T) -> u64>;

/// Sorts records, stably: by their prefixes first, if there are any.
///
/// With prefixes the records themselves stay where they are until they are asked for. Moving them costs as much as giving
/// them away does.
pub(crate) fn sort<T>(
    mut records: Vec<T>,
    compare: impl Fn(&T, &T) -> Ordering,
    prefix: Option<&Prefix<T>>,
) -> SortedRecords<T> {
    // Places are numbered with 32 bits; so many records are hardly ever in one task's memory.
    let Some(prefix) = prefix.filter(|_| u32::try_from(records.len()).is_ok()) else {
        records.sort_by(compare);
        return SortedRecords::Moved(records.into_iter());
    };
    let mut order: Vec<Place> = Vec::with_capacity(records.len());
    order.extend((0..).zip(&records).map(|(place, record)| (prefix(record), place)));
    order.sort_unstable_by(|left, right| {
        let by_prefix = left.0.cmp(&right.0);
        // The place makes equals come in the order of insertion.
        by_prefix
            .then_with(|| compare(&records[left.1 as usize], &records[right.1 as usize]))
            .then(left.1.cmp(&right.1))
    });
    SortedRecords::Ordered(Ordered {
        order: order.into_iter(),
        records: records.into_iter().map(Some).collect(),
        prefix: prefix.clone(),
        taken: Vec::with_capacity(BATCH),
    })
}

impl<T> Ordered<T> {
    fn take_some(&mut self) {
        let Self { order, records, prefix, taken } = self;
        taken.extend(order.by_ref().take(BATCH).filter_map(|(_, place)| records[place as usize].take()));
        for record in &*taken {
            black_box(prefix(record));
        }
        taken.reverse();
    }
}

impl<T> Iterator for SortedRecords<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self {
            Self::Moved(records) => records.next(),
            Self::Ordered(ordered) => {
                if ordered.taken.is_empty() {
                    ordered.take_some();
                }
                ordered.taken.pop()
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Moved(records) => records.size_hint(),
            Self::Ordered(ordered) => {
                let left = ordered.order.len() + ordered.taken.len();
                (left, Some(left))
            }
        }
    }
}

//! Where a worker finds the broadcast values of its task.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use zeroize::Zeroizing;

use crate::task::{put_count, put_number, put_text};

/// Where a worker finds the broadcast values of its task, by the ids that Python knows them by.
#[derive(Clone, Debug)]
pub enum Broadcasts {
    /// Each in a file, as it is.
    Files(BTreeMap<i64, String>),
    /// No value is on a disk in clear: a server on loopback hands over those that the worker does not hold yet
    /// ([`Worker::lacks`](crate::Worker::lacks)), each behind its id, in the order of the ids.
    Served {
        /// All that the task needs.
        ids: BTreeSet<i64>,
        /// Not needed if the worker holds them all.
        server: Option<BroadcastServerAddress>,
    },
}

/// Where that server is.
#[derive(Clone)]
pub struct BroadcastServerAddress {
    /// Its port on loopback.
    pub port: u16,
    /// What proves to it who connects.
    pub secret: Zeroizing<String>,
}

impl Broadcasts {
    /// Tells a worker that holds the values `known` which to forget, and where the others are.
    ///
    /// # Panics
    ///
    /// If there are others, and no server is said to have them: whoever says that values are served asks the worker first what it
    /// lacks.
    pub(crate) fn put(&self, body: &mut Vec<u8>, known: &mut BTreeSet<i64>) {
        let forgotten: Vec<i64> = known.iter().copied().filter(|id| !self.contains(*id)).collect();
        let new = self.lacking(known);
        let server = match self {
            Self::Served { server, .. } if !new.is_empty() => {
                Some(server.as_ref().expect("what the worker lacks is served"))
            }
            _ => None,
        };
        body.push(u8::from(server.is_some()));
        put_count(body, forgotten.len() + new.len());
        if let Some(server) = server {
            put_number(body, i32::from(server.port));
            put_text(body, &server.secret);
        }
        for id in &forgotten {
            body.extend((-id - 1).to_be_bytes());
            known.remove(id);
        }
        for id in new {
            body.extend(id.to_be_bytes());
            if let Self::Files(files) = self {
                put_text(body, &files[&id]);
            }
            known.insert(id);
        }
    }

    /// Those that are not among the `known` ones, in their order.
    pub(crate) fn lacking(&self, known: &BTreeSet<i64>) -> Vec<i64> {
        let is_new = |id: &i64| !known.contains(id);
        match self {
            Self::Files(files) => files.keys().copied().filter(is_new).collect(),
            Self::Served { ids, .. } => ids.iter().copied().filter(is_new).collect(),
        }
    }

    fn contains(&self, id: i64) -> bool {
        match self {
            Self::Files(files) => files.contains_key(&id),
            Self::Served { ids, .. } => ids.contains(&id),
        }
    }
}

impl fmt::Debug for BroadcastServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastServerAddress").field("port", &self.port).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(ids: &[i64], is_served: bool) -> Broadcasts {
        let secret = Zeroizing::new("ab".to_owned());
        let server = is_served.then(|| BroadcastServerAddress { port: 258, secret });
        Broadcasts::Served { ids: ids.iter().copied().collect(), server }
    }

    fn put(broadcasts: &Broadcasts, known: &mut BTreeSet<i64>) -> Vec<u8> {
        let mut body = Vec::new();
        broadcasts.put(&mut body, known);
        body
    }

    #[test]
    fn a_worker_is_told_of_the_server_and_of_what_it_has_there() {
        let mut known = BTreeSet::from([3, 5]);
        // Encrypted; three changes; where; 3 is forgotten; 4 and 6 are new, and no path follows them.
        let mut expected = b"\x01\0\0\0\x03\0\0\x01\x02\0\0\0\x02ab".to_vec();
        expected.extend(b"\xff\xff\xff\xff\xff\xff\xff\xfc\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x06");
        let broadcasts = served(&[6, 5, 4], true);
        assert_eq!(broadcasts.lacking(&known), [4, 6]);
        assert_eq!(put(&broadcasts, &mut known), expected);
        assert_eq!(known, BTreeSet::from([4, 5, 6]));
        assert_eq!(format!("{broadcasts:?}").find("ab"), None);
    }

    #[test]
    fn a_worker_that_lacks_nothing_is_told_of_no_server() {
        let mut known = BTreeSet::from([4, 5]);
        for is_served in [false, true] {
            assert_eq!(put(&served(&[4, 5], is_served), &mut known), b"\0\0\0\0\0");
        }
        assert_eq!(put(&served(&[5], false), &mut known), b"\0\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xfb");
        assert_eq!(known, BTreeSet::from([5]));
    }

    #[test]
    #[should_panic(expected = "what the worker lacks is served")]
    fn what_a_worker_lacks_must_be_served() {
        put(&served(&[4], false), &mut BTreeSet::new());
    }
}

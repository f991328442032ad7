//! Names as small numbers: executors and hosts appear once per preferred location of every task, and a task set of a million
//! tasks must stay small.

use std::collections::HashMap;
use std::hash::Hash;

/// Gives each name a number, from 0. Names are never given back: there are as many as the application ever met.
#[derive(Clone, Debug)]
pub(crate) struct Interner<T> {
    // Looked up, never iterated.
    numbers: HashMap<T, u32>,
    names: Vec<T>,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    pub(crate) fn new() -> Self {
        Self { numbers: HashMap::new(), names: Vec::new() }
    }

    pub(crate) fn intern<Q>(&mut self, name: &Q) -> u32
    where
        T: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = T> + ?Sized,
    {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    pub(crate) fn find<Q>(&self, name: &Q) -> Option<u32>
    where
        T: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.numbers.get(name).copied()
    }

    pub(crate) fn name(&self, number: u32) -> &T {
        &self.names[number as usize]
    }
}

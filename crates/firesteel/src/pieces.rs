//! Data sets of records that are encoded already.

use std::panic::Location;

use bytes::Bytes;
use firesteel_closure::Closure;

use crate::{
    Rdd, SparkContext,
    data::{Data, Records},
    lineage::{NewRdd, Payloads},
    operator::Pieces,
};

impl SparkContext {
    /// Distributes records that are encoded already, as [`SparkContext::parallelize`] does with those that are not: a piece for each
    /// partition, of which the task makes records by `read`. The driver holds the pieces as they are, once.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use bytes::Bytes;
    ///
    /// let pieces = ["ab", "c"].map(Bytes::from);
    /// let letters = spark.parallelize_pieces(pieces, |piece| Box::new(piece.into_iter().map(char::from)));
    /// assert_eq!(letters.glom().collect()?, [vec!['a', 'b'], vec!['c']]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn parallelize_pieces<T: Data, F>(&self, pieces: impl IntoIterator<Item = Bytes>, read: F) -> Rdd<T>
    where
        F: Fn(Bytes) -> Records<T> + Copy + Send + Sync + 'static,
    {
        Closure::of(read);
        let pieces: Vec<Bytes> = pieces.into_iter().collect();
        let mut new = NewRdd::source("parallelize", pieces.len() as u32);
        new.payloads = Payloads::Each(pieces.into());
        Rdd::source::<Pieces<T, F>>(self, Location::caller(), new, |rdd_id| rdd_id)
    }
}

//! How many heap bytes a record holds, found by letting it serialize itself into a counter.
//!
//! Rust has no way to ask a value for its heap size, and a trait would burden every user type. Each record can be
//! serialized, though, and what it serializes is what it holds: a counter sees every string, sequence and map with the
//! natural width of its elements. That beats scaling the encoded size, since postcard writes a small `u64` in one byte.
//!
//! What cannot be seen is estimated: spare capacity (not counted), allocator overhead (16 bytes per allocation), and the
//! target of a `Box` outside of any sequence, whose bytes count because they exceed the record's own size. Of a long
//! sequence the first 64 elements are measured and then each 64th. The elements of a sequence take the same room, though `None` and
//! small variants do not show it: each counts as the largest that was measured. The result is within a factor of two for strings,
//! vectors, maps and their nesting; see the tests. A small value that is boxed in a sequence counts as itself, and a sequence of
//! nothing but `None` as of 16 bytes each, whatever they might hold.

use std::fmt;

use serde::{
    Serialize,
    ser::{self, Serializer},
};

/// Header and rounding of one allocation.
const ALLOCATION_BYTES: u64 = 16;
/// A `String` or a `Vec` itself.
const VECTOR_BYTES: u64 = 24;
/// Free slots and control bytes per entry of a hash table or B-tree.
const MAP_ENTRY_BYTES: u64 = 8;
/// A `None` in a sequence in which nothing shows what it might have held.
const NONE_BYTES: u64 = 16;
/// So many elements of a sequence are measured one by one.
const MEASURED_ELEMENTS: u64 = 64;
/// Past them, one of so many.
const MEASURED_STRIDE: u64 = 64;

/// The estimated heap bytes of a record, beyond `size_of::<T>()`.
pub fn heap_size<T: Serialize>(record: &T) -> u64 {
    measure_heap(record).bytes
}

/// What measuring a record found, and what it cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeapMeasurement {
    /// The estimated heap bytes, beyond the record's own `size_of`.
    pub bytes: u64,
    /// How many values were visited.
    pub visits: u64,
}

/// [`heap_size`] with what it cost.
pub fn measure_heap<T: Serialize>(record: &T) -> HeapMeasurement {
    if !std::mem::needs_drop::<T>() {
        return HeapMeasurement { bytes: 0, visits: 1 };
    }
    let mut counter = Counter::default();
    // A record that fails to serialize says so when it is encoded; until then what it showed must do.
    let _ = record.serialize(&mut counter);
    let beyond_inline = counter.all.saturating_sub(size_of::<T>() as u64);
    HeapMeasurement { bytes: counter.heap.max(beyond_inline), visits: counter.visits }
}

#[derive(Default)]
struct Counter {
    /// Bytes of everything, inline or not.
    all: u64,
    /// Bytes inside strings, sequences and maps.
    heap: u64,
    /// How many sequences and maps we are in.
    depth: u32,
    /// Bytes of the element that is measured now, without those of what it points to.
    own: u64,
    /// `None`s that were met.
    nones: u64,
    visits: u64,
}

impl Counter {
    fn inline(&mut self, bytes: u64) {
        self.visits += 1;
        self.all += bytes;
        self.own += bytes;
        if self.depth > 0 {
            self.heap += bytes;
        }
    }

    fn allocation(&mut self, bytes: u64) {
        self.inline(VECTOR_BYTES);
        if bytes > 0 {
            self.all += bytes + ALLOCATION_BYTES;
            self.heap += bytes + ALLOCATION_BYTES;
        }
    }

    fn enter(&mut self) -> Elements<'_> {
        self.inline(VECTOR_BYTES);
        self.all += ALLOCATION_BYTES;
        self.heap += ALLOCATION_BYTES;
        self.depth += 1;
        let (all_before, heap_before, own_before) = (self.all, self.heap, self.own);
        let sizes = OwnSizes::default();
        Elements { counter: self, all_before, heap_before, own_before, seen: 0, measured: 0, sizes }
    }
}

/// The elements of a sequence or the entries of a map.
struct Elements<'a> {
    counter: &'a mut Counter,
    all_before: u64,
    heap_before: u64,
    own_before: u64,
    seen: u64,
    measured: u64,
    sizes: OwnSizes,
}

/// What the measured elements of a sequence took themselves.
#[derive(Default)]
struct OwnSizes {
    sum: u64,
    largest: u64,
    /// Those that are nothing but `None`: one byte each in the sum.
    unknown: u64,
}

impl OwnSizes {
    /// How much more the measured elements take than they showed.
    fn hidden(&self, measured: u64) -> u64 {
        let largest = if self.unknown == measured { NONE_BYTES } else { self.largest };
        (largest * measured).saturating_sub(self.sum)
    }
}

impl Elements<'_> {
    fn is_measured(&self) -> bool {
        self.seen < MEASURED_ELEMENTS || self.seen.is_multiple_of(MEASURED_STRIDE)
    }

    fn element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), Unmeasurable> {
        if self.is_measured() {
            let nones = self.counter.nones;
            self.counter.own = 0;
            element.serialize(&mut *self.counter)?;
            let own = self.counter.own;
            self.sizes.sum += own;
            if own == 1 && self.counter.nones > nones {
                self.sizes.unknown += 1;
            } else {
                self.sizes.largest = self.sizes.largest.max(own);
            }
            self.measured += 1;
        }
        self.seen += 1;
        Ok(())
    }

    fn leave(self) {
        let counter = self.counter;
        counter.depth -= 1;
        counter.own = self.own_before;
        let hidden = self.sizes.hidden(self.measured);
        counter.all += hidden;
        counter.heap += hidden;
        if self.seen > self.measured {
            let scale = |bytes: u64| (u128::from(bytes) * u128::from(self.seen) / u128::from(self.measured)) as u64;
            counter.all = self.all_before + scale(counter.all - self.all_before);
            counter.heap = self.heap_before + scale(counter.heap - self.heap_before);
        }
    }
}

/// The record's own `Serialize` failed.
#[derive(Debug)]
struct Unmeasurable;

impl fmt::Display for Unmeasurable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the record could not be measured")
    }
}

impl std::error::Error for Unmeasurable {}

impl ser::Error for Unmeasurable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! inline {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method(self, _: $type) -> Result<(), Unmeasurable> {
            self.inline(size_of::<$type>() as u64);
            Ok(())
        }
    )*};
}

impl<'a> Serializer for &'a mut Counter {
    type Ok = ();
    type Error = Unmeasurable;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Elements<'a>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    inline! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
    }

    fn serialize_str(self, value: &str) -> Result<(), Unmeasurable> {
        self.allocation(value.len() as u64);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unmeasurable> {
        self.allocation(value.len() as u64);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unmeasurable> {
        self.nones += 1;
        self.inline(1);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unmeasurable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unmeasurable> {
        self.inline(0);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unmeasurable> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Unmeasurable> {
        self.inline(1);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unmeasurable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unmeasurable> {
        self.inline(1);
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a>, Unmeasurable> {
        Ok(self.enter())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Unmeasurable> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Unmeasurable> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, Unmeasurable> {
        self.inline(1);
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Elements<'a>, Unmeasurable> {
        Ok(self.enter())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Unmeasurable> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Unmeasurable> {
        self.inline(1);
        Ok(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl ser::SerializeSeq for Elements<'_> {
    type Ok = ();
    type Error = Unmeasurable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), Unmeasurable> {
        self.element(element)
    }

    fn end(self) -> Result<(), Unmeasurable> {
        self.leave();
        Ok(())
    }
}

impl ser::SerializeMap for Elements<'_> {
    type Ok = ();
    type Error = Unmeasurable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unmeasurable> {
        if self.is_measured() {
            key.serialize(&mut *self.counter)?;
            self.counter.inline(MAP_ENTRY_BYTES);
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unmeasurable> {
        self.element(value)
    }

    fn end(self) -> Result<(), Unmeasurable> {
        self.leave();
        Ok(())
    }
}

macro_rules! fields {
    ($($trait:ident::$method:ident($($name:ty)?);)*) => {$(
        impl ser::$trait for &mut Counter {
            type Ok = ();
            type Error = Unmeasurable;

            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $name,)? value: &T) -> Result<(), Unmeasurable> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Unmeasurable> {
                Ok(())
            }
        }
    )*};
}

fields! {
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field();
    SerializeStruct::serialize_field(&'static str);
    SerializeStructVariant::serialize_field(&'static str);
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use proptest::prelude::*;

    use super::*;

    /// What the allocator gives out: at least 16 bytes of header and rounding are taken for each piece.
    fn allocated(bytes: usize) -> u64 {
        if bytes == 0 { 0 } else { bytes as u64 + 16 }
    }

    fn assert_within_two<T: Serialize>(record: &T, truth: u64) {
        let estimate = heap_size(record);
        // A few bytes' difference on next to nothing is of no account.
        assert!(estimate <= 2 * truth + 64 && truth <= 2 * estimate + 64, "{estimate} for {truth}");
    }

    proptest! {
        #[test]
        fn strings(string in ".{0,200}") {
            assert_within_two(&string, allocated(string.len()));
        }

        #[test]
        fn pairs_of_strings(pair in (".{0,50}", ".{0,50}", any::<u64>())) {
            assert_within_two(&pair, allocated(pair.0.len()) + allocated(pair.1.len()));
        }

        #[test]
        fn vectors_of_small_numbers(numbers in prop::collection::vec(0u64..100, 0..500)) {
            assert_within_two(&numbers, allocated(numbers.len() * 8));
        }

        #[test]
        fn vectors_of_strings(strings in prop::collection::vec(".{0,20}", 0..300)) {
            let contents: u64 = strings.iter().map(|string| allocated(string.len())).sum();
            assert_within_two(&strings, allocated(strings.len() * size_of::<String>()) + contents);
        }

        #[test]
        fn maps(map in prop::collection::hash_map(any::<u32>(), ".{0,10}", 0..200)) {
            let contents: u64 = map.values().map(|string| allocated(string.len())).sum();
            let places = map.capacity() * 8 / 7 * (size_of::<(u32, String)>() + 1);
            assert_within_two(&map, allocated(places) + contents);
        }
    }

    #[test]
    fn plain_data_holds_no_heap() {
        assert_eq!(heap_size(&(1u64, [2f64; 8], Some('c'))), 0);
    }

    #[test]
    fn boxes_count_by_their_contents() {
        let record = Box::new([7u64; 32]);
        assert_within_two(&record, allocated(32 * 8));
    }

    #[test]
    fn options_enums_and_nesting_are_followed() {
        #[derive(Serialize)]
        enum Shape {
            Nothing,
            Named { name: String, size: u8 },
            Many(Vec<Shape>),
        }
        let named = || Shape::Named { name: "x".repeat(100), size: 1 };
        assert_within_two(&Shape::Nothing, 0);
        assert_within_two(&named(), allocated(100));
        let many = Shape::Many((0..50).map(|_| named()).collect());
        assert_within_two(&many, allocated(50 * size_of::<Shape>()) + 50 * allocated(100));
        let nested: BTreeMap<u8, Option<HashMap<String, Vec<u8>>>> =
            (0..10).map(|key| (key, Some(HashMap::from([("k".repeat(50), vec![0; 1000])])))).collect();
        assert_within_two(&nested, 10 * (allocated(50) + allocated(1000) + 300));
    }

    #[test]
    fn elements_that_show_little_take_what_the_others_take() {
        type Seven = (i64, i64, i64, i64, i64, i64, i64);
        let sparse = |every: usize| -> Vec<Option<Seven>> {
            (0..10_000).map(|index| (index % every == 0).then_some((1, 2, 3, 4, 5, 6, 7))).collect()
        };
        for every in [1, 2, 50] {
            assert_within_two(&sparse(every), allocated(10_000 * size_of::<Option<Seven>>()));
        }
        assert_within_two(&vec![None::<i64>; 1000], allocated(1000 * size_of::<Option<i64>>()));
        assert_within_two(&vec![None::<String>; 1000], allocated(1000 * size_of::<Option<String>>()));
        assert_within_two(&vec![Some(7_u64); 1000], allocated(1000 * size_of::<Option<u64>>()));
        #[derive(Clone, Serialize)]
        enum Plain {
            One,
            Two([u64; 4]),
        }
        let mixed: Vec<Plain> =
            (0..1000).map(|index| if index % 10 == 0 { Plain::Two([0; 4]) } else { Plain::One }).collect();
        assert_within_two(&mixed, allocated(1000 * size_of::<Plain>()));
        assert_within_two(&vec![true; 1000], allocated(1000));
        let nested: Vec<Vec<Option<u64>>> = (0..100).map(|_| vec![None, Some(1), None, None]).collect();
        assert_within_two(&nested, allocated(100 * 24) + 100 * allocated(4 * 16));
    }

    #[test]
    fn a_long_sequence_is_measured_in_part() {
        let strings: Vec<String> = (0..100_000).map(|_| "x".repeat(40)).collect();
        let HeapMeasurement { bytes, visits } = measure_heap(&strings);
        assert!(visits < 2_000, "{visits}");
        let truth = 100_000 * (24 + 56);
        assert!(bytes.abs_diff(truth) < truth / 20, "{bytes} for {truth}");
    }
}

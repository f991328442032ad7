//! Accumulators: values that tasks add to and the driver reads (RT-56).

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    marker::PhantomData,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use firesteel_executor::{TaskAccumulator, TaskContext};
use firesteel_model::{AccumulatorId, AccumulatorUpdate, AccumulatorValue};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::error;

use crate::{
    context::SparkContext,
    data::{Data, decode, encode},
    numeric::Number,
};

/// A value that can be added to. `Default` is its zero; merging the zero must change nothing, and merging must not depend
/// on the order.
///
/// ```
/// # let spark = firesteel::examples::context();
/// use firesteel::Accumulate;
///
/// #[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
/// struct Greatest(usize);
///
/// impl Accumulate for Greatest {
///     type Input = usize;
///     fn add(&mut self, input: usize) {
///         self.0 = self.0.max(input);
///     }
///     fn merge(&mut self, other: Self) {
///         self.add(other.0);
///     }
///     fn display(&self) -> String {
///         self.0.to_string()
///     }
/// }
///
/// let longest = spark.accumulator::<Greatest>("the longest word");
/// let words = spark.parallelize(["flint", "and", "steel"].map(str::to_owned), 2);
/// words.with(longest.clone()).foreach(|longest, word| longest.add(word.len()))?;
/// assert_eq!(longest.value().0, 5);
/// # Ok::<(), firesteel::SparkError>(())
/// ```
pub trait Accumulate: Data + Default {
    /// What is added.
    type Input;

    /// Adds.
    fn add(&mut self, input: Self::Input);

    /// Adds what another task has gathered.
    fn merge(&mut self, other: Self);

    /// What people see.
    fn display(&self) -> String;

    #[doc(hidden)]
    fn to_value(&self) -> AccumulatorValue {
        // In a task, this is the task's failure; what was added must not be lost unseen.
        let encoded =
            encode(self).unwrap_or_else(|error| panic!("could not encode the value of an accumulator: {error}"));
        AccumulatorValue::Other { encoded, display: self.display() }
    }

    #[doc(hidden)]
    fn from_value(value: &AccumulatorValue) -> Option<Self> {
        match value {
            AccumulatorValue::Other { encoded, .. } => decode(encoded).ok(),
            AccumulatorValue::Long(_) | AccumulatorValue::Double(_) => None,
        }
    }
}

impl Accumulate for i64 {
    type Input = i64;

    /// Wraps around, as Spark's long accumulator does.
    fn add(&mut self, input: i64) {
        *self = self.wrapping_add(input);
    }

    fn merge(&mut self, other: i64) {
        *self = self.wrapping_add(other);
    }

    fn display(&self) -> String {
        self.to_string()
    }

    fn to_value(&self) -> AccumulatorValue {
        AccumulatorValue::Long(*self)
    }

    fn from_value(value: &AccumulatorValue) -> Option<Self> {
        if let AccumulatorValue::Long(number) = value { Some(*number) } else { None }
    }
}

impl Accumulate for f64 {
    type Input = f64;

    fn add(&mut self, input: f64) {
        *self += input;
    }

    fn merge(&mut self, other: f64) {
        *self += other;
    }

    fn display(&self) -> String {
        self.to_string()
    }

    fn to_value(&self) -> AccumulatorValue {
        AccumulatorValue::Double(*self)
    }

    fn from_value(value: &AccumulatorValue) -> Option<Self> {
        if let AccumulatorValue::Double(number) = value { Some(*number) } else { None }
    }
}

/// The collection accumulator: everything that was added, in no particular order.
impl<T: Data> Accumulate for Vec<T> {
    type Input = T;

    fn add(&mut self, input: T) {
        self.push(input);
    }

    fn merge(&mut self, other: Self) {
        self.extend(other);
    }

    fn display(&self) -> String {
        format!("{} elements", self.len())
    }
}

/// A handle to an accumulator. Tasks add to it when it comes to them in the environment of a closure; only the driver reads
/// it.
///
/// What a task adds counts when the task has succeeded: once in an action, however often a task was tried; in a
/// transformation, once for each time that the partition was computed for a map stage.
///
/// ```
/// # let spark = firesteel::examples::context();
/// let lines = spark.parallelize(["1", "x", "2"].map(str::to_owned), 2);
/// let bad = spark.long_accumulator("bad lines");
/// let numbers = lines.with(bad.clone()).flat_map(|bad, line| {
///     let number = line.parse::<i64>();
///     if number.is_err() {
///         bad.add(1);
///     }
///     number
/// });
/// assert_eq!(numbers.sum()?, 3);
/// assert_eq!((bad.name(), bad.value()), (Some("bad lines"), 1));
/// bad.reset();
/// assert_eq!(bad.value(), 0);
/// assert_ne!(bad.id(), spark.long_accumulator("others").id());
/// # Ok::<(), firesteel::SparkError>(())
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Accumulator<A> {
    id: AccumulatorId,
    name: Option<String>,
    #[serde(skip)]
    value: PhantomData<fn() -> A>,
    /// The value itself; only on the driver, where it must live as long as a handle does.
    #[serde(skip)]
    held: Option<Arc<dyn Registered>>,
}

impl<A> Clone for Accumulator<A> {
    fn clone(&self) -> Self {
        Self { id: self.id, name: self.name.clone(), value: PhantomData, held: self.held.clone() }
    }
}

impl<A> fmt::Debug for Accumulator<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accumulator").field("id", &self.id).field("name", &self.name).finish()
    }
}

/// An accumulator's value on the driver.
trait Registered: Send + Sync {
    /// Merges an update. False if it is not of this accumulator's kind.
    fn merge(&self, update: &AccumulatorUpdate) -> bool;
    /// The value for people.
    fn value(&self) -> AccumulatorValue;
    fn as_any(&self) -> &dyn Any;
}

/// A value, and of how many additions it is made.
#[derive(Default)]
struct Counted<A> {
    value: A,
    additions: u64,
}

impl<A: Accumulate> Counted<A> {
    fn add(&mut self, input: A::Input) {
        self.value.add(input);
        self.additions += 1;
    }
}

struct DriverValue<A>(Mutex<Counted<A>>);

impl<A: Accumulate> Registered for DriverValue<A> {
    fn merge(&self, update: &AccumulatorUpdate) -> bool {
        let Some(value) = A::from_value(&update.value) else { return false };
        let mut held = self.0.lock();
        held.value.merge(value);
        held.additions += update.additions;
        true
    }

    fn value(&self) -> AccumulatorValue {
        self.0.lock().value.to_value()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The accumulators of this process that a handle still refers to.
static REGISTRY: LazyLock<Mutex<HashMap<AccumulatorId, Weak<dyn Registered>>>> = LazyLock::new(Mutex::default);

/// Merges what a task has added, and gives the value after that; `None` if nothing refers to the accumulator any more.
pub(crate) fn merge(update: &AccumulatorUpdate) -> Option<AccumulatorValue> {
    let registered = REGISTRY.lock().get(&update.id).and_then(Weak::upgrade)?;
    // The user's code, on the thread that schedules: as in Spark, what it does wrong costs this update and nothing else.
    let merged = panic::catch_unwind(AssertUnwindSafe(|| (registered.merge(update), registered.value())));
    let name = update.name.as_deref().unwrap_or_default();
    match merged {
        Ok((true, value)) => Some(value),
        Ok((false, value)) => {
            error!(
                accumulator_id = %update.id, name,
                "what a task has added to an accumulator is lost: it could not be decoded, or is of another kind"
            );
            Some(value)
        }
        Err(caught) => {
            error!(accumulator_id = %update.id, name, "what a task has added to an accumulator is lost: its code panicked");
            std::mem::forget(caught);
            None
        }
    }
}

impl<A: Accumulate> Accumulator<A> {
    fn register(name: Option<&str>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = AccumulatorId(NEXT.fetch_add(1, Ordering::Relaxed));
        let value: Arc<dyn Registered> = Arc::new(DriverValue::<A>(Mutex::default()));
        let mut registry = REGISTRY.lock();
        registry.retain(|_, registered| registered.strong_count() > 0);
        registry.insert(id, Arc::downgrade(&value));
        Self { id, name: name.map(str::to_owned), value: PhantomData, held: Some(value) }
    }

    /// Its number, unique in the application.
    pub fn id(&self) -> AccumulatorId {
        self.id
    }

    /// The name that it shows by in the UI and the event log.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Adds. In a task, to the task's own part; on the driver, to the value.
    pub fn add(&self, input: A::Input) {
        match TaskContext::get() {
            Some(context) => {
                let start = || TaskPart { id: self.id, name: self.name.clone(), added: Counted::<A>::default() };
                context.accumulate(self.id, start, |part: &mut TaskPart<A>| part.added.add(input));
            }
            None => self.with_value(|held| held.add(input)),
        }
    }

    /// The value, as of the tasks that have succeeded so far.
    ///
    /// # Panics
    ///
    /// In a task: there the value is not known, and a part of it would be a wrong answer.
    pub fn value(&self) -> A {
        assert!(TaskContext::get().is_none(), "the value of an accumulator can only be read on the driver");
        self.with_value(|held| held.value.clone())
    }

    /// How often it was added to, as of the tasks that have succeeded so far. See [`SparkContext::long_accumulator`].
    ///
    /// # Panics
    ///
    /// In a task, as [`Accumulator::value`].
    pub fn count(&self) -> u64 {
        assert!(TaskContext::get().is_none(), "the count of an accumulator can only be read on the driver");
        self.with_value(|held| held.additions)
    }

    /// Sets the value back to its zero, and the count too.
    ///
    /// # Panics
    ///
    /// In a task, as [`Accumulator::value`].
    pub fn reset(&self) {
        assert!(TaskContext::get().is_none(), "an accumulator can only be reset on the driver");
        self.with_value(|held| *held = Counted::default());
    }

    fn with_value<R>(&self, use_value: impl FnOnce(&mut Counted<A>) -> R) -> R {
        // A handle that has travelled and come back has no value of its own.
        let held = self.held.clone().or_else(|| REGISTRY.lock().get(&self.id).and_then(Weak::upgrade));
        let held = held.expect("the driver's own handle of the accumulator was dropped");
        let value = held.as_any().downcast_ref::<DriverValue<A>>().expect("an id belongs to one accumulator");
        use_value(&mut value.0.lock())
    }
}

impl<A: Accumulate + Number> Accumulator<A> {
    /// The mean of what was added, as of the tasks that have succeeded so far; not a number if nothing was. See
    /// [`SparkContext::long_accumulator`].
    ///
    /// # Panics
    ///
    /// In a task, as [`Accumulator::value`].
    pub fn avg(&self) -> f64 {
        assert!(TaskContext::get().is_none(), "the mean of an accumulator can only be read on the driver");
        self.with_value(|held| held.value.as_f64() / held.additions as f64)
    }
}

/// What one task has added.
struct TaskPart<A> {
    id: AccumulatorId,
    name: Option<String>,
    added: Counted<A>,
}

impl<A: Accumulate> TaskAccumulator for TaskPart<A> {
    fn update(&self) -> AccumulatorUpdate {
        let (value, additions) = (self.added.value.to_value(), self.added.additions);
        AccumulatorUpdate { id: self.id, name: self.name.clone(), value, additions }
    }

    fn counts_failed_values(&self) -> bool {
        false
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl SparkContext {
    /// A sum of whole numbers that tasks add to.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let sum = spark.long_accumulator("sum");
    /// spark.range(0, 10, 1, 2).with(sum.clone()).foreach(|sum, n| sum.add(n))?;
    /// assert_eq!((sum.value(), sum.count(), sum.avg()), (45, 10, 4.5));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn long_accumulator(&self, name: &str) -> Accumulator<i64> {
        Accumulator::register(Some(name))
    }

    /// A sum of floating-point numbers that tasks add to.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let sum = spark.double_accumulator("sum");
    /// spark.parallelize([0.5, 0.25], 2).with(sum.clone()).foreach(|sum, n| sum.add(n))?;
    /// assert_eq!(sum.value(), 0.75);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn double_accumulator(&self, name: &str) -> Accumulator<f64> {
        Accumulator::register(Some(name))
    }

    /// A list that tasks add to.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let odd = spark.collection_accumulator("odd numbers");
    /// let numbers = spark.range(0, 4, 1, 1).with(odd.clone());
    /// numbers.foreach(|odd, n| if n % 2 == 1 { odd.add(n) })?;
    /// assert_eq!(odd.value(), [1, 3]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn collection_accumulator<T: Data>(&self, name: &str) -> Accumulator<Vec<T>> {
        Accumulator::register(Some(name))
    }

    /// An accumulator of the user's own kind; see [`Accumulate`].
    pub fn accumulator<A: Accumulate>(&self, name: &str) -> Accumulator<A> {
        Accumulator::register(Some(name))
    }
}

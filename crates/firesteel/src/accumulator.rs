//! Accumulators: values that tasks add to and the driver reads (RT-56).

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use firesteel_executor::{TaskAccumulator, TaskContext};
use firesteel_model::{AccumulatorId, AccumulatorUpdate, AccumulatorValue};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{
    context::SparkContext,
    data::{Data, decode, encode},
};

/// A value that can be added to. `Default` is its zero; merging the zero must change nothing, and merging must not depend
/// on the order.
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
        AccumulatorValue::Other { encoded: encode(self).unwrap_or_default(), display: self.display() }
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
    fn merge(&self, update: &AccumulatorValue) -> bool;
    /// The value for people.
    fn value(&self) -> AccumulatorValue;
    fn as_any(&self) -> &dyn Any;
}

struct DriverValue<A>(Mutex<A>);

impl<A: Accumulate> Registered for DriverValue<A> {
    fn merge(&self, update: &AccumulatorValue) -> bool {
        A::from_value(update).map(|update| self.0.lock().merge(update)).is_some()
    }

    fn value(&self) -> AccumulatorValue {
        self.0.lock().to_value()
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
    if !registered.merge(&update.value) {
        warn!(accumulator_id = %update.id, "an update is not of the accumulator's kind and is left out");
    }
    Some(registered.value())
}

impl<A: Accumulate> Accumulator<A> {
    fn register(name: Option<&str>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = AccumulatorId(NEXT.fetch_add(1, Ordering::Relaxed));
        let value: Arc<dyn Registered> = Arc::new(DriverValue(Mutex::new(A::default())));
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
                let start = || TaskPart { id: self.id, name: self.name.clone(), value: A::default() };
                context.accumulate(self.id, start, |part: &mut TaskPart<A>| part.value.add(input));
            }
            None => self.with_value(|value| value.add(input)),
        }
    }

    /// The value, as of the tasks that have succeeded so far.
    ///
    /// # Panics
    ///
    /// In a task: there the value is not known, and a part of it would be a wrong answer.
    pub fn value(&self) -> A {
        assert!(TaskContext::get().is_none(), "the value of an accumulator can only be read on the driver");
        self.with_value(|value| value.clone())
    }

    /// Sets the value back to its zero.
    ///
    /// # Panics
    ///
    /// In a task, as [`Accumulator::value`].
    pub fn reset(&self) {
        assert!(TaskContext::get().is_none(), "an accumulator can only be reset on the driver");
        self.with_value(|value| *value = A::default());
    }

    fn with_value<R>(&self, use_value: impl FnOnce(&mut A) -> R) -> R {
        // A handle that has travelled and come back has no value of its own.
        let held = self.held.clone().or_else(|| REGISTRY.lock().get(&self.id).and_then(Weak::upgrade));
        let held = held.expect("the driver's own handle of the accumulator was dropped");
        let value = held.as_any().downcast_ref::<DriverValue<A>>().expect("an id belongs to one accumulator");
        use_value(&mut value.0.lock())
    }
}

/// What one task has added.
struct TaskPart<A> {
    id: AccumulatorId,
    name: Option<String>,
    value: A,
}

impl<A: Accumulate> TaskAccumulator for TaskPart<A> {
    fn update(&self) -> AccumulatorUpdate {
        AccumulatorUpdate { id: self.id, name: self.name.clone(), value: self.value.to_value() }
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
    pub fn long_accumulator(&self, name: &str) -> Accumulator<i64> {
        Accumulator::register(Some(name))
    }

    /// A sum of floating-point numbers that tasks add to.
    pub fn double_accumulator(&self, name: &str) -> Accumulator<f64> {
        Accumulator::register(Some(name))
    }

    /// A list that tasks add to.
    pub fn collection_accumulator<T: Data>(&self, name: &str) -> Accumulator<Vec<T>> {
        Accumulator::register(Some(name))
    }

    /// An accumulator of the user's own kind.
    pub fn accumulator<A: Accumulate>(&self, name: &str) -> Accumulator<A> {
        Accumulator::register(Some(name))
    }
}

//! Broadcast variables: a read-only value, sent once to each executor that needs it (RT-55).
//!
//! A handle travels in closures' environments as the value's id and its pieces' checksums. The driver keeps the value as
//! long as anything there refers to it: a handle, or a data set whose closure has one. To know the latter, encoding an
//! environment notes which handles pass by ([`encode_holding`]).

use std::{
    any::Any,
    cell::RefCell,
    collections::HashMap,
    fmt,
    panic::Location,
    sync::{
        Arc, LazyLock, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use firesteel_block_store::ReadBroadcastError;
use firesteel_driver::{DriverHandle, PublishedBytes, Removal};
use firesteel_executor::{ExecutorStorage, TaskContext, TaskFailure};
use firesteel_messages::ExecutorMessage;
use firesteel_model::{BroadcastId, BroadcastInfo};
use firesteel_scheduler_backend::PublishBytes;
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::Error as _};

use crate::{
    context::SparkContext,
    data::{DataCodec, encode},
    error::{SparkError, chain},
    persist,
};

/// A handle to a broadcast value. Cheap to clone.
///
/// ```
/// # let spark = firesteel::examples::context();
/// let words = spark.parallelize(["flint", "and", "steel"].map(str::to_owned), 2);
/// let stop_words = spark.broadcast(vec!["and".to_owned(), "the".to_owned()])?;
/// assert_ne!(stop_words.id(), spark.broadcast(0)?.id());
/// let rest = words.with(stop_words).filter(|stop_words, word| !stop_words.value().contains(word));
/// assert_eq!(rest.collect()?, ["flint", "steel"]);
/// # Ok::<(), firesteel::SparkError>(())
/// ```
///
/// The value goes when the last handle on the driver is dropped and no data set has it in a closure.
pub struct Broadcast<T> {
    info: Arc<BroadcastInfo>,
    /// On the driver.
    held: Option<Arc<Held<T>>>,
    /// Once it was read through this handle.
    read: OnceLock<Arc<T>>,
}

/// A broadcast value cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BroadcastError {
    /// It was destroyed.
    #[error("Attempted to use Broadcast({id}) after it was destroyed ({destroyed_at})")]
    Destroyed {
        /// Which value.
        id: BroadcastId,
        /// Where [`Broadcast::destroy`] was called.
        destroyed_at: String,
    },
    /// It could not be fetched.
    #[error("Broadcast({id}) could not be read; was it destroyed, or is its last handle on the driver gone?")]
    Read {
        /// Which value.
        id: BroadcastId,
        /// What went wrong.
        #[source]
        source: ReadBroadcastError,
    },
    /// A handle is used that came from elsewhere, outside a task.
    #[error("Broadcast({id}) can be read by tasks and on its driver, and this is neither")]
    NoTask {
        /// Which value.
        id: BroadcastId,
    },
}

/// The driver's side of a value, shared by its handles.
struct Held<T> {
    id: BroadcastId,
    /// Until it is destroyed.
    value: Mutex<Option<Arc<T>>>,
    destroyed_at: OnceLock<String>,
    driver: DriverHandle,
    storage: ExecutorStorage,
}

/// Keeps a broadcast value without knowing its type.
pub(crate) type HeldBroadcast = Arc<dyn Any + Send + Sync>;

/// The values of this process that anything refers to.
static LIVE: LazyLock<Mutex<HashMap<BroadcastId, Weak<dyn Any + Send + Sync>>>> = LazyLock::new(Mutex::default);

/// What passes by while an environment is encoded on this thread.
#[derive(Default)]
struct Passing {
    held: Vec<HeldBroadcast>,
    /// The encoder forgets what a type says of its own failure.
    failure: Option<String>,
}

thread_local! {
    static PASSING: RefCell<Option<Passing>> = const { RefCell::new(None) };
}

/// Encodes an environment, and gives what must be kept so that its broadcast values stay.
pub(crate) fn encode_holding<E: Serialize + ?Sized>(environment: &E) -> (Result<Vec<u8>, String>, Vec<HeldBroadcast>) {
    /// Puts back what was there, also when the user's code unwinds.
    struct Leave(Option<Passing>);
    impl Drop for Leave {
        fn drop(&mut self) {
            PASSING.set(self.0.take());
        }
    }
    let _leave = Leave(PASSING.replace(Some(Passing::default())));
    let encoded = encode(environment);
    let passed = PASSING.take().unwrap_or_default();
    (encoded.map_err(|error| passed.failure.unwrap_or_else(|| error.to_string())), passed.held)
}

fn next_id() -> BroadcastId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    BroadcastId(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// For what the driver itself has to tell all executors.
pub(crate) fn publisher(driver: &DriverHandle, storage: &ExecutorStorage) -> PublishBytes {
    let (driver, storage) = (driver.clone(), storage.clone());
    Arc::new(move |bytes| {
        let id = next_id();
        let info = storage.broadcasts().write_encoded(id, bytes).map_err(|error| chain(&error))?;
        let held = Held::<()> {
            id,
            value: Mutex::new(None),
            destroyed_at: OnceLock::new(),
            driver: driver.clone(),
            storage: storage.clone(),
        };
        Ok(PublishedBytes::new(info, held))
    })
}

impl SparkContext {
    /// Makes a value readable by every task, in each process fetched and decoded once. See [`Broadcast`].
    ///
    /// # Errors
    ///
    /// [`SparkError::Broadcast`] if the value cannot be encoded or stored; [`SparkError::ContextStopped`].
    pub fn broadcast<T>(&self, value: T) -> Result<Broadcast<T>, SparkError>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.check_running("broadcast")?;
        let id = next_id();
        let value = Arc::new(value);
        let written = self.storage().broadcasts().write(id, &value, &DataCodec::new());
        let info = written.map_err(|error| SparkError::Broadcast(chain(&error)))?;
        let held = Arc::new(Held {
            id,
            value: Mutex::new(Some(value)),
            destroyed_at: OnceLock::new(),
            driver: self.driver().clone(),
            storage: self.storage().clone(),
        });
        let untyped: Arc<dyn Any + Send + Sync> = Arc::clone(&held) as _;
        LIVE.lock().insert(id, Arc::downgrade(&untyped));
        Ok(Broadcast { info: Arc::new(info), held: Some(held), read: OnceLock::new() })
    }
}

impl<T> Broadcast<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Its number, unique in the application.
    pub fn id(&self) -> BroadcastId {
        self.info.id
    }

    /// The value: on the driver the original, in a task the process's copy, fetched by the first task that asks.
    ///
    /// # Panics
    ///
    /// If it cannot be had, as [`Broadcast::try_value`] says. In a task this ends the task with that reason.
    #[inline]
    pub fn value(&self) -> &T {
        match self.read.get() {
            Some(value) if self.held.as_ref().is_none_or(|held| held.destroyed_at.get().is_none()) => value,
            _ => self.value_or_fail(),
        }
    }

    /// As [`Broadcast::value`], with an error where that panics, as after [`Broadcast::destroy`].
    ///
    /// # Errors
    ///
    /// It was destroyed, or its pieces can be had from nobody, or this is neither a task nor the driver.
    pub fn try_value(&self) -> Result<&T, BroadcastError> {
        if let Some(held) = &self.held {
            held.check()?;
        }
        if let Some(value) = self.read.get() {
            return Ok(value);
        }
        let value = match &self.held {
            Some(held) => held.value()?,
            None => self.find()?,
        };
        Ok(self.read.get_or_init(|| value))
    }

    #[cold]
    fn value_or_fail(&self) -> &T {
        match self.try_value() {
            Ok(value) => value,
            // The next attempt would find the same: pieces that nobody has do not come back.
            Err(error) if TaskContext::get().is_some() => TaskFailure::from_final_error(&error).throw(),
            Err(error) => panic!("{}", chain(&error)),
        }
    }

    /// For a handle that has travelled.
    fn find(&self) -> Result<Arc<T>, BroadcastError> {
        let id = self.id();
        // Local mode, or a handle that came back to its driver: the value is here.
        if let Some(held) = live::<T>(id) {
            return held.value();
        }
        let context = TaskContext::get().ok_or(BroadcastError::NoTask { id })?;
        let read = context.environment().storage().broadcasts().read(&self.info, &DataCodec::new());
        read.map_err(|source| BroadcastError::Read { id, source })
    }

    /// Drops the executors' copies. Tasks that want the value again fetch it again. With `blocking`, returns when every
    /// executor has done so. Does nothing where the handle has travelled to.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let table = spark.broadcast(vec![10_i64, 20])?;
    /// let sums = spark.range(0, 2, 1, 2).with(table.clone()).map(|table, n| table.value()[n as usize]);
    /// assert_eq!(sums.sum()?, 30);
    /// table.unpersist(true);
    /// assert_eq!(sums.sum()?, 30);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn unpersist(&self, blocking: bool) {
        if let Some(held) = &self.held {
            held.remove(false, blocking);
        }
    }

    /// Drops the executors' copies, the driver's pieces and the driver's value for ever, and returns when that is done.
    /// Whoever uses the value afterwards gets an error that names this call. Does nothing where the handle has travelled to.
    ///
    /// A handle on the driver that the value was read through keeps it until the handle is dropped, as references to it may
    /// be about.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let table = spark.broadcast([1, 2, 3])?;
    /// assert_eq!(table.try_value().expect("it is there"), &[1, 2, 3]);
    /// table.destroy();
    /// assert!(table.try_value().unwrap_err().to_string().contains("after it was destroyed"));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn destroy(&self) {
        if let Some(held) = &self.held
            && held.destroyed_at.set(format!("destroy at {}", Location::caller())).is_ok()
        {
            let value = held.value.lock().take();
            held.remove(true, true);
            // Last, and outside the lock: this is the user's code, which may panic.
            drop(value);
        }
    }
}

impl<T> Held<T> {
    fn check(&self) -> Result<(), BroadcastError> {
        match self.destroyed_at.get() {
            Some(at) => Err(BroadcastError::Destroyed { id: self.id, destroyed_at: at.clone() }),
            None => Ok(()),
        }
    }

    fn value(&self) -> Result<Arc<T>, BroadcastError> {
        self.check()?;
        let value = self.value.lock().clone();
        // Destroyed between the two.
        value.ok_or_else(|| BroadcastError::Destroyed {
            id: self.id,
            destroyed_at: self.destroyed_at.get().cloned().unwrap_or_default(),
        })
    }

    fn remove(&self, from_driver: bool, blocking: bool) {
        if from_driver {
            // The driver of a cluster is none of the executors that the event loop sends to.
            self.storage.orders().give(ExecutorMessage::RemoveBroadcast(self.id));
        }
        persist::remove(&self.driver, Removal::Broadcast { broadcast_id: self.id, from_driver }, blocking);
    }
}

impl<T> Drop for Held<T> {
    /// Nothing refers to the value any more (RT-58).
    fn drop(&mut self) {
        LIVE.lock().remove(&self.id);
        if self.destroyed_at.get().is_none() {
            self.remove(true, false);
        }
    }
}

fn live<T: Send + Sync + 'static>(id: BroadcastId) -> Option<Arc<Held<T>>> {
    // The handle is upgraded under the lock and let go outside it: if it is the last one, it takes the lock.
    let held = LIVE.lock().get(&id).and_then(Weak::upgrade)?;
    held.downcast().ok()
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Self { info: Arc::clone(&self.info), held: self.held.clone(), read: self.read.clone() }
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broadcast({})", self.info.id)
    }
}

impl<T: Send + Sync + 'static> Serialize for Broadcast<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A handle that has come back to its driver stands for the driver's own.
        if let Some(held) = self.held.clone().or_else(|| live::<T>(self.info.id)) {
            let checked = held.check().map_err(|error| error.to_string());
            PASSING.with_borrow_mut(|passing| {
                if let Some(passing) = passing {
                    passing.failure = checked.clone().err();
                    passing.held.push(held);
                }
            });
            checked.map_err(S::Error::custom)?;
        }
        self.info.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Broadcast<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let info = BroadcastInfo::deserialize(deserializer)?;
        Ok(Self { info: Arc::new(info), held: None, read: OnceLock::new() })
    }
}

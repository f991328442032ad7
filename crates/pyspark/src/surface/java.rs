//! What programs reach for in Java's own packages: threads, the runtime, random numbers of 128 bits.

use std::{
    cell::Cell,
    sync::atomic::{AtomicI64, Ordering},
    thread,
    time::Duration,
};

use firesteel_conf::keys;
use firesteel_py4j::{Class, Object, Throwable, Value, method, static_method};

use super::{JavaCall, JavaResult, status::bytes};
use crate::{
    driver::Driver,
    error::{ILLEGAL_ARGUMENT, thrown},
};

const THREAD: &str = "java.lang.Thread";
const RUNTIME: &str = "java.lang.Runtime";
const UUID: &str = "java.util.UUID";

/// The thread of a connection, which stands for one of the program's.
struct JavaThread(i64);

struct JavaRuntime;

struct Uuid(u128);

impl Object for JavaThread {
    fn class(&self) -> &'static str {
        THREAD
    }

    fn to_java_string(&self) -> String {
        format!("Thread[{},5,main]", self.name())
    }
}

impl JavaThread {
    fn name(&self) -> String {
        format!("Thread-{}", self.0)
    }
}

impl Object for JavaRuntime {
    fn class(&self) -> &'static str {
        RUNTIME
    }
}

impl Object for Uuid {
    fn class(&self) -> &'static str {
        UUID
    }

    fn to_java_string(&self) -> String {
        let digits = format!("{:032x}", self.0);
        let [a, b, c, d, e] = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        format!("{a}-{b}-{c}-{d}-{e}")
    }
}

impl Uuid {
    /// By RFC 9562, version 4.
    fn random() -> Self {
        let random: u128 = rand::random();
        Self(random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62))
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: THREAD,
        extends: &[],
        members: &[
            static_method("currentThread", 0, |_| Ok(Value::object(JavaThread(thread_number())))),
            static_method("sleep", 1, sleep),
            method("getId", 0, |call| Ok(Value::Long(call.this::<JavaThread>()?.0))),
            method("getName", 0, |call| Ok(Value::text(call.this::<JavaThread>()?.name()))),
        ],
    },
    Class {
        name: RUNTIME,
        extends: &[],
        members: &[
            static_method("getRuntime", 0, |_| Ok(Value::object(JavaRuntime))),
            method("availableProcessors", 0, |call| {
                call.this::<JavaRuntime>()?;
                let processors = thread::available_parallelism().map_or(1, usize::from);
                Ok(Value::Int(i32::try_from(processors).unwrap_or(i32::MAX)))
            }),
            method("maxMemory", 0, max_memory),
            method("gc", 0, |call| call.this::<JavaRuntime>().map(|_| Value::Void)),
        ],
    },
    Class {
        name: UUID,
        extends: &[],
        members: &[
            static_method("randomUUID", 0, |_| Ok(Value::object(Uuid::random()))),
            static_method("fromString", 1, uuid_from_string),
        ],
    },
];

/// The same for all calls of a thread of the program, and another one for every thread.
fn thread_number() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    thread_local! {
        static NUMBER: Cell<i64> = const { Cell::new(0) };
    }
    if NUMBER.get() == 0 {
        NUMBER.set(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    NUMBER.get()
}

fn sleep(call: &JavaCall<'_>) -> JavaResult {
    let millis = u64::try_from(call.long(0)?);
    let millis = millis.map_err(|_| Throwable::new(ILLEGAL_ARGUMENT, "timeout value is negative"))?;
    thread::sleep(Duration::from_millis(millis));
    Ok(Value::Void)
}

/// What Java would be started with: the driver's memory.
fn max_memory(call: &JavaCall<'_>) -> JavaResult {
    call.this::<JavaRuntime>()?;
    let conf =
        call.state.application().map_or_else(|| call.state.default_conf(), |application| application.conf().clone());
    bytes(conf.get(&keys::DRIVER_MEMORY).map_err(|error| thrown(error.into()))?)
}

fn uuid_from_string(call: &JavaCall<'_>) -> JavaResult {
    let text = call.text(0)?;
    let is_uuid = text.len() == 36 && [8, 13, 18, 23].iter().all(|place| text.as_bytes()[*place] == b'-');
    let number = is_uuid.then(|| u128::from_str_radix(&text.replace('-', ""), 16).ok()).flatten();
    let number = number.ok_or_else(|| Throwable::new(ILLEGAL_ARGUMENT, format!("Invalid UUID string: {text}")))?;
    Ok(Value::object(Uuid(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_uuid_says_so() {
        for _ in 0..100 {
            let text = Uuid::random().to_java_string();
            assert_eq!((text.len(), &text[14..15]), (36, "4"), "{text}");
            assert!("89ab".contains(&text[19..20]), "{text}");
        }
    }
}

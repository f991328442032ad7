//! The linker's table of constructors.

use std::{
    any::{Any, type_name},
    arch::asm,
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

/// What a constructor gives: shared by all tasks of a stage in a process, cast back to its type by whoever asked for it.
pub type Constructed = Arc<dyn Any + Send + Sync>;

/// What a constructor is given.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The encoded environment.
    pub environment: &'a [u8],
    /// What was constructed for the parents, in order.
    pub parents: &'a [Constructed],
}

/// Something that another process may ask to be constructed. Implemented by types that stand for code, most often generic
/// over a user's closure.
pub trait Construct: 'static {
    /// Decodes the environment, checks the parents' types, and builds.
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError>;
}

/// The received parts do not fit the constructor.
#[derive(Debug, thiserror::Error)]
pub enum ConstructError {
    /// The environment cannot be decoded.
    #[error("the environment of {constructor} cannot be decoded: {message}")]
    Environment {
        /// The constructor's type.
        constructor: &'static str,
        /// The decoder's message.
        message: String,
    },
    /// A parent is missing or of another type.
    #[error("parent {index} of {constructor} is not {expected}")]
    Parent {
        /// The constructor's type.
        constructor: &'static str,
        /// Which parent, from 0.
        index: usize,
        /// The type that it must have.
        expected: &'static str,
    },
    /// The slot is outside the table.
    #[error(transparent)]
    UnknownSlot(#[from] UnknownSlotError),
}

/// An index into the table: the name of a constructor, the same in every process of one binary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(u32);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A peer named a slot that this binary does not have.
#[derive(Debug, thiserror::Error)]
#[error("function slot {slot} is outside this binary's table of {len}: the peer runs another build")]
pub struct UnknownSlotError {
    slot: Slot,
    len: usize,
}

/// Calls the constructor that the slot names.
pub fn construct(slot: Slot, parts: Parts<'_>) -> Result<Constructed, ConstructError> {
    let table = table();
    let entry = table.get(slot.0 as usize).ok_or(UnknownSlotError { slot, len: table.len() })?;
    (entry.construct)(parts)
}

/// How many constructors this binary has.
pub fn table_len() -> usize {
    table().len()
}

type ConstructFunction = fn(Parts<'_>) -> Result<Constructed, ConstructError>;
type NameFunction = fn() -> &'static str;

#[repr(C)]
struct Entry {
    construct: ConstructFunction,
    /// For debuggers and error messages; also makes two constructors with identical machine code differ.
    name: NameFunction,
}

/// At least one entry must exist, or the linker does not define where the table starts.
struct First;

impl Construct for First {
    fn construct(_parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        Ok(Arc::new(()))
    }
}

fn table() -> &'static [Entry] {
    unsafe extern "C" {
        static __start_firesteel_slots: u8;
        static __stop_firesteel_slots: u8;
    }
    slot_of::<First>();
    let start = (&raw const __start_firesteel_slots).cast::<Entry>();
    let stop = (&raw const __stop_firesteel_slots).cast::<Entry>();
    let len = (stop as usize - start as usize) / size_of::<Entry>();
    // SAFETY: the linker puts exactly what `slot_of` pushes into the section `firesteel_slots` between these two symbols:
    // records of two relocated function pointers, 8-byte aligned, without gaps, never written to after loading. No
    // other code of the program names that section.
    unsafe { std::slice::from_raw_parts(start, len) }
}

/// The slot of a constructor. Monomorphising this function is what puts the entry into the table.
#[inline(never)]
pub fn slot_of<C: Construct>() -> Slot {
    let entry: usize;
    // SAFETY: the directives put two code pointers of the right types into a section of their own and jump nowhere; the
    // instructions only form that record's address in a register. `sym` keeps both functions alive and lets the linker fill in
    // their addresses.
    unsafe {
        asm!(
            ".pushsection firesteel_slots,\"awR\",@progbits",
            ".balign 8",
            "77:",
            ".quad {construct}",
            ".quad {name}",
            ".popsection",
            #[cfg(target_arch = "x86_64")]
            "lea {entry}, [rip + 77b]",
            #[cfg(target_arch = "aarch64")]
            "adrp {entry}, 77b",
            #[cfg(target_arch = "aarch64")]
            "add {entry}, {entry}, :lo12:77b",
            construct = sym C::construct,
            name = sym type_name::<C>,
            entry = out(reg) entry,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    compile_error!("the function table is written for x86_64 and aarch64 ELF targets");
    unsafe extern "C" {
        static __start_firesteel_slots: u8;
    }
    Slot(((entry - (&raw const __start_firesteel_slots) as usize) / size_of::<Entry>()) as u32)
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;
    use crate::Closure;

    struct Apply<F>(PhantomData<fn() -> F>);

    impl<F: Fn(i32) -> i32 + Copy + 'static> Construct for Apply<F> {
        fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
            let argument = parts.environment.first().copied().ok_or_else(|| ConstructError::Environment {
                constructor: type_name::<Self>(),
                message: "it is empty".into(),
            })?;
            Ok(Arc::new(Closure::<F>::by_type().get()(i32::from(argument))))
        }
    }

    fn slot<F: Fn(i32) -> i32 + Copy + 'static>(closure: F) -> Slot {
        Closure::of(closure);
        slot_of::<Apply<F>>()
    }

    fn run(slot: Slot, environment: &[u8]) -> Result<i32, ConstructError> {
        construct(slot, Parts { environment, parents: &[] }).map(|constructed| *constructed.downcast::<i32>().unwrap())
    }

    #[test]
    fn a_slot_names_its_own_closure() {
        let (double, negate) = (slot(|x| x * 2), slot(|x| -x));
        assert_ne!(double, negate);
        assert_eq!(run(double, &[21]).unwrap(), 42);
        assert_eq!(run(negate, &[21]).unwrap(), -21);
    }

    #[test]
    fn a_slot_outside_the_table_is_an_error() {
        let outside = Slot(table_len() as u32);
        assert!(matches!(run(outside, &[]), Err(ConstructError::UnknownSlot(_))));
        assert!(matches!(run(Slot(u32::MAX), &[]), Err(ConstructError::UnknownSlot(_))));
    }

    #[test]
    fn bad_environments_are_errors() {
        assert!(matches!(run(slot(|x| x), &[]), Err(ConstructError::Environment { .. })));
    }
}

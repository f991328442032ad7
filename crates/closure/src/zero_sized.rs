//! Closures that capture nothing: their type is all there is to them.

use std::{fmt, marker::PhantomData, ptr::NonNull};

/// A closure that captures nothing, known by its type alone.
///
/// Making one from a closure that captures variables stops the program's build with the message of the assertion below.
/// `cargo check` does not find it: the assertion is evaluated when code is made for this very closure.
pub struct Closure<F>(PhantomData<fn() -> F>);

impl<F: Copy> Closure<F> {
    const CAPTURES_NOTHING: () = assert!(
        size_of::<F>() == 0,
        "this closure captures variables, which cannot travel to an executor: name what it needs, as in \
         `rdd.with(threshold).filter(|threshold, x| x > threshold)`; a function pointer cannot travel either: pass the \
         function itself"
    );

    /// Remembers the closure's type.
    pub fn of(_closure: F) -> Self {
        let () = Self::CAPTURES_NOTHING;
        Self(PhantomData)
    }

    /// The type alone, in a process that was told it by a [`Slot`](crate::Slot).
    ///
    /// It is private to constructors: a value of it must have existed in the process that encoded the slot, which
    /// [`Self::of`] ensures when all slots with an `F` are made from it.
    pub fn by_type() -> Self {
        let () = Self::CAPTURES_NOTHING;
        Self(PhantomData)
    }

    /// The closure.
    #[inline(always)]
    pub fn get(&self) -> F {
        let () = Self::CAPTURES_NOTHING;
        // SAFETY: `F` has no bytes, so a read of it reads nothing and any aligned pointer will do; and it is `Copy`, so it has
        // no drop glue and making another of it is what `Copy` allows anyone who holds one; the process that chose `F` held
        // one.
        unsafe { NonNull::<F>::dangling().read() }
    }
}

impl<F> Clone for Closure<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Closure<F> {}

impl<F> fmt::Debug for Closure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<F>())
    }
}

#[cfg(test)]
mod tests {
    use super::Closure;

    fn doubled_by_type<F: Fn(i32) -> i32 + Copy>(_like: F) -> i32 {
        Closure::<F>::by_type().get()(21)
    }

    #[test]
    fn a_closure_is_made_from_its_type() {
        assert_eq!(doubled_by_type(|x| x * 2), 42);
        assert_eq!(Closure::of(str::len).get()("four"), 4);
    }
}

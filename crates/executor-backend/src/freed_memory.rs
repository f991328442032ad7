//! Memory that was freed and that the allocator keeps.
//!
//! To the kernel the process holds it still. The C library gives memory back by itself only from the end of its heaps, where one
//! record that stayed keeps all that was freed before it. Other allocators give it back in their own time, and what this asks of
//! the C library costs them nothing.
//!
//! Its own module because it is the only place that needs unsafe code.

#![cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "only the C library can give back what it keeps, and no safe call asks it to")
)]

/// Has the C library give back to the kernel whatever whole pages nobody uses. It holds one lock after the other on its heaps
/// meanwhile, and threads that allocate there wait.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number, and may be called at any time on any thread: it locks what it looks at, and touches only memory
    // that was freed.
    unsafe {
        libc::malloc_trim(0)
    };
}

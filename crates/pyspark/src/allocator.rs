//! The allocator of this binary.
#![allow(unsafe_code)]

/// Frames are many small allocations of several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

unsafe extern "C" {
    /// Of mimalloc, which the global allocator links.
    fn mi_collect(force: bool);
}

/// Gives what is free back to the system. The allocator does so itself where memory is freed for a while longer; a process in which
/// nothing happens any more would keep it.
pub(crate) fn give_back() {
    // SAFETY: it may be called at any time by any thread, takes a C bool, which is Rust's, and changes nothing that is allocated.
    unsafe { mi_collect(true) }
}

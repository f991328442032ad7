//! Threads that run the user's code.

use std::{env, thread};

/// As much as a program's main thread has, where that is not set otherwise: what does not recurse too deep there should not do so
/// in a task. It costs nothing but addresses until it is used.
const STACK_SIZE: usize = 8 << 20;

/// A thread for closures, and for the user's types, with a stack that is good for both: 8 MiB, or what `RUST_MIN_STACK` says.
pub fn user_code_thread(name: &str) -> thread::Builder {
    let thread = thread::Builder::new().name(name.to_owned());
    // Of its own accord the standard library gives less.
    if env::var_os("RUST_MIN_STACK").is_some() { thread } else { thread.stack_size(STACK_SIZE) }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    fn recurse(depth: u32) -> u8 {
        let frame = black_box([1_u8; 1024]);
        if depth == 0 { frame[0] } else { black_box(recurse(depth - 1)) & frame[1023] }
    }

    #[test]
    fn a_closure_may_recurse_as_deep_as_a_main_thread() {
        // Other threads have 2 MiB.
        assert_eq!(user_code_thread("deep").spawn(|| recurse(5 << 10)).unwrap().join().unwrap(), 1);
    }
}

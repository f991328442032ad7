//! Functions that travel between processes of one binary.
//!
//! An executor runs the very binary that the driver runs, so code need not be shipped: only *which* code. Each
//! constructor that may be asked for by another process is a type that implements [`Construct`]; monomorphising
//! [`slot_of`] for it makes the linker gather one entry of a table, and the entry's index, the [`Slot`], is the same in every
//! process of that binary, wherever it was loaded. A slot from a peer is bounds-checked, and what it constructs is checked
//! by type when it is used, so wrong bytes give an error and never a wild jump. Peers of another binary are told apart
//! by [`build_id`] before any slot is exchanged.
//!
//! A user's closure travels as its *type*, which is part of the constructor's type: [`Closure`] refuses, when the program
//! is built, any closure that captures variables, and makes such a closure out of nothing on the other side. What the closure
//! needs beside its arguments is passed as a serializable environment, named by the user.
//!
//! Rejected: function addresses relative to the image (any forged number is a jump), `serde_closure` and
//! `serde_traitobject` (nightly, abandoned), registries of named functions (no generics, no inline closures).

mod build_id;
mod table;
mod zero_sized;

pub use build_id::build_id;
pub use table::{Construct, ConstructError, Constructed, Parts, Slot, UnknownSlotError, construct, slot_of, table_len};
pub use zero_sized::Closure;

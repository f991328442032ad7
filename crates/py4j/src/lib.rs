//! The gateway protocol of py4j 0.10.9, as PySpark speaks it to its driver.
//!
//! A Python program holds ids of objects that live here, and sends commands about them: call a method, construct an object,
//! forget one. To the program the other side is a Java machine; here it is a declared table.
//!
//! - [`Command`] and the encodings of values: pure, from lines and to lines.
//! - [`Object`] and [`Value`]: what methods take and give. Collections and exceptions are here, as the protocol itself knows
//!   them; everything else is declared by whoever has it.
//! - [`Class`] and [`Member`]: a class is a table of members, each with its number of arguments and a function. To add a member
//!   is one entry. What is in no table is refused with class, member and number of arguments, never answered wrongly.
//! - [`Gateway`]: answers commands by those tables. It does no I/O and holds the objects that the program refers to.
//! - [`GatewayServer`]: a thread for each connection, which stands for a thread of the program. Whatever is bound to threads
//!   here, as local properties are, is then bound to threads there.
//!
//! Not here: callbacks into Python, streams, and commands on Java's lists, which PySpark's RDD API does not use. They get an
//! error that says so.

#![forbid(unsafe_code)]

mod abandoned;
mod class;
mod collection_members;
mod collections;
mod command;
mod encoding;
mod gateway;
mod object;
mod object_members;
mod server;
mod throwable;

pub use abandoned::unless_abandoned;
pub use class::{Call, Class, Member, constructor, method, static_field, static_method};
pub use collections::{JavaArray, JavaEntry, JavaIterator, JavaList, JavaMap, JavaSet};
pub use command::{ArrayCommand, Command, CommandError, NamesCommand, Target};
pub use encoding::{Argument, ObjectId, ParseArgumentError};
pub use gateway::Gateway;
pub use object::{Kind, Object, Value};
pub use server::{GatewayServer, same_secret};
pub use throwable::{Failure, Throwable};

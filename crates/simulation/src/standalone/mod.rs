//! One seed, one standalone cluster: the real cores of masters, workers and application clients with a fake network, fake
//! processes and a fake election service, on virtual time.
//!
//! Until the faults stop, connections break and lose what is on them, messages are late or come twice in a row, hosts are cut
//! off in one direction or both, processes crash, pause and come again, wall clocks jump, an election service lets sessions
//! expire of masters that do not know it yet. After that all works. An [`oracle::Oracle`] keeps books of its own.
//!
//! *Safety*, at any time:
//!
//! - What runs on a worker never has more cores or memory than the worker, and no address of a resource twice.
//! - A driver is started once, unless it is supervised; a supervised one never runs twice under one id.
//! - An executor's number is given once, and its process is started once.
//! - What a client was told of a driver's end is never taken back; a driver whose end was promised ends.
//! - A submission, an application or an executor that was told of never shares its id with another.
//! - No order is carried out for an older leader by a worker that has taken one of a newer.
//!
//! *Liveness*, once faults stop: one master leads, every application that fits gets executors and ends, no executor of an ended
//! application survives, every submitted driver comes to its end, and the leader's books are empty.
//!
//! What a master alone without a store (`NONE`) cannot promise is left out where the oracle says so.

mod applications;
mod clients;
mod election;
mod faults;
mod masters;
mod network;
mod oracle;
mod workers;
mod world;

pub use world::{Report, run};

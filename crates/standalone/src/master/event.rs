//! Every input of a master.

use firesteel_model::{ApplicationId, SubmissionId};

use super::{PeerId, Stored};
use crate::{Term, protocol::ToMaster};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum MasterEvent {
    /// Somebody has connected, and has proved the cluster's secret.
    Connected {
        /// Numbered by the caller; never twice the same.
        peer: PeerId,
    },
    /// Somebody has said something.
    Received {
        /// Who.
        peer: PeerId,
        /// What.
        message: Box<ToMaster>,
    },
    /// A connection has ended.
    Disconnected {
        /// Whose.
        peer: PeerId,
        /// Nobody closed it: nothing was heard for too long, so the other side may live.
        silent: bool,
    },
    /// This master leads from here on.
    Elected {
        /// Higher than any before.
        term: Term,
        /// What the last leader has left.
        stored: Stored,
    },
    /// This master leads no more. It must end (SA-54).
    Deposed,
    /// Somebody wants an application to end (SA-65). Unknown ones are ignored.
    KillApplication {
        /// Which.
        application_id: ApplicationId,
    },
    /// Somebody wants a driver to end (SA-65). Unknown ones are ignored.
    KillDriver {
        /// Which.
        submission_id: SubmissionId,
    },
    /// Somebody wants the workers of these hosts to leave (SA-40).
    DecommissionWorkers {
        /// Names, as the workers have given them.
        hosts: Vec<String>,
    },
    /// The moment of [`super::Master::next_deadline`] is there.
    DeadlineReached,
}

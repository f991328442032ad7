//! Who gets a copy of a block (RT-54).

use std::collections::BTreeSet;

use firesteel_model::{BlockManagerId, ExecutorId};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

/// The block managers that may take a copy of a block, best first: random by seed, but those on hosts that hold no copy
/// yet come before the others, so that the loss of one host does not take every copy.
///
/// `holders` are those that have the block already; they and the driver are left out. A caller that fails with one goes
/// on with the next.
pub fn choose_peers(
    candidates: impl IntoIterator<Item = BlockManagerId>,
    holders: &[BlockManagerId],
    seed: u64,
) -> Vec<BlockManagerId> {
    let hosts: BTreeSet<&str> = holders.iter().map(|holder| holder.host.as_str()).collect();
    let executors: BTreeSet<&ExecutorId> = holders.iter().map(|holder| &holder.executor_id).collect();
    let mut peers: Vec<_> = candidates
        .into_iter()
        .filter(|peer| !peer.executor_id.is_driver() && !executors.contains(&peer.executor_id))
        .collect();
    peers.sort();
    peers.shuffle(&mut StdRng::seed_from_u64(seed));
    peers.sort_by_key(|peer| hosts.contains(peer.host.as_str()));
    peers
}

//! The driver's registry, for a block manager in another process.

use std::{sync::Arc, time::Duration};

use firesteel_block_master::UpdateBlock;
use firesteel_block_store::{BlockManagerMaster, BlockManagerMasterError};
use firesteel_messages::{Answer, DriverMessage, Question};
use firesteel_model::{BlockId, BlockManagerId, BlockUpdatedInfo, ByteCount, ExecutorId};

use crate::{AskError, DriverLink, Questions, TaskContext};

/// Asks and reports over the connection to the driver.
pub(super) struct RemoteMaster {
    link: Arc<dyn DriverLink>,
    questions: Arc<Questions>,
    ask_time_out: Duration,
}

/// The driver answered another question than was asked.
#[derive(Debug, thiserror::Error)]
#[error("the driver's answer does not fit the question: {0}")]
struct UnexpectedAnswer(&'static str);

impl RemoteMaster {
    pub(super) fn new(link: Arc<dyn DriverLink>, questions: Arc<Questions>, ask_time_out: Duration) -> Self {
        Self { link, questions, ask_time_out }
    }

    /// Asks for the task that runs on this thread, if one does, and only as long as that is not killed.
    fn ask(&self, question: Question) -> Result<Answer, BlockManagerMasterError> {
        let context = TaskContext::get();
        let killed = || context.as_ref().is_some_and(|context| context.is_interrupted());
        let answer = self.questions.ask(&*self.link, question, self.ask_time_out, killed);
        answer.map_err(|error: AskError| BlockManagerMasterError::Unreachable(Box::new(error)))
    }
}

impl BlockManagerMaster for RemoteMaster {
    /// The executor's registration says it all (`RegisterExecutor`), and whoever holds the connection sends that.
    fn register(&self, _: &BlockManagerId, _: ByteCount, _: ByteCount) -> Result<(), BlockManagerMasterError> {
        Ok(())
    }

    /// A driver that does not know this executor tells it to end, by a message to whoever holds the connection.
    fn update_block(&self, update: BlockUpdatedInfo) -> Result<UpdateBlock, BlockManagerMasterError> {
        self.link.tell(DriverMessage::BlockUpdated(update));
        Ok(UpdateBlock::Recorded)
    }

    fn locations(&self, block_ids: &[BlockId]) -> Result<Vec<Vec<BlockManagerId>>, BlockManagerMasterError> {
        match self.ask(Question::BlockLocations(block_ids.to_vec()))? {
            Answer::BlockLocations(locations) if locations.len() == block_ids.len() => Ok(locations),
            _ => Err(BlockManagerMasterError::Unreachable(Box::new(UnexpectedAnswer("block locations")))),
        }
    }

    /// The driver knows who asks.
    fn peers(&self, _: &ExecutorId) -> Result<Vec<BlockManagerId>, BlockManagerMasterError> {
        match self.ask(Question::Peers)? {
            Answer::Peers(peers) => Ok(peers),
            _ => Err(BlockManagerMasterError::Unreachable(Box::new(UnexpectedAnswer("peers")))),
        }
    }
}

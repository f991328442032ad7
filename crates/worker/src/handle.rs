//! What others of this process have of a running worker.

use std::{path::PathBuf, sync::Arc, time::Duration};

use firesteel_standalone::worker::Worker as Decisions;
use tokio::{
    sync::{Semaphore, mpsc::UnboundedSender, oneshot},
    time::timeout,
};

use crate::event_loop::Input;

/// Asks a running worker. Cheap to clone; a worker that has ended answers nothing.
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    inputs: UnboundedSender<Input>,
    work_directory: PathBuf,
    asking: Arc<Semaphore>,
}

/// How many questions of this kind there are at once: the queue of inputs has no bound of its own.
const QUESTIONS: usize = 2;
/// How long an answer may take, with waiting for those who have asked before.
const ANSWER_TIME_OUT: Duration = Duration::from_secs(5);

impl WorkerHandle {
    pub(crate) fn new(inputs: UnboundedSender<Input>, work_directory: PathBuf) -> Self {
        Self { inputs, work_directory, asking: Arc::new(Semaphore::new(QUESTIONS)) }
    }

    /// Where the output of executors and drivers is.
    pub(crate) fn work_directory(&self) -> &PathBuf {
        &self.work_directory
    }

    /// Looks at the state; none if there is no answer in time, or the worker has ended.
    pub async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Decisions) -> T + Send + 'static) -> Option<T> {
        let asked = async {
            let _turn = self.asking.acquire().await.ok()?;
            let (answer, answered) = oneshot::channel();
            let question = move |worker: &Decisions| {
                // Whoever has asked is gone.
                let _ = answer.send(look(worker));
            };
            self.inputs.send(Input::Question(Box::new(question))).ok()?;
            answered.await.ok()
        };
        timeout(ANSWER_TIME_OUT, asked).await.ok().flatten()
    }
}

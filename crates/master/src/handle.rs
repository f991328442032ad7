//! What others of this process have of a running master.

use std::{sync::Arc, time::Duration};

use firesteel_standalone::master::{Master, MasterEvent};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use crate::{event_loop::Input, server::look_at};

/// Asks a running master and tells it things. Cheap to clone; a master that has ended answers nothing.
#[derive(Clone, Debug)]
pub struct MasterHandle {
    inputs: mpsc::Sender<Input>,
    asking: Arc<Semaphore>,
}

/// How many questions of this kind there are at once: each copies what it asks for, while the loop does nothing else.
const QUESTIONS: usize = 2;
/// How long an answer may take, with waiting for those who have asked before.
const ANSWER_TIME_OUT: Duration = Duration::from_secs(5);

impl MasterHandle {
    pub(crate) fn new(inputs: mpsc::Sender<Input>) -> Self {
        Self { inputs, asking: Arc::new(Semaphore::new(QUESTIONS)) }
    }

    /// Looks at the state; none if there is no answer in time, or the master has ended.
    pub async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Master) -> T + Send + 'static) -> Option<T> {
        let asked = async {
            let _turn = self.asking.acquire().await.ok()?;
            look_at(&self.inputs, look).await
        };
        timeout(ANSWER_TIME_OUT, asked).await.ok().flatten()
    }

    /// Tells the master what somebody wants; false if it cannot take it in time.
    pub async fn tell(&self, event: MasterEvent) -> bool {
        matches!(timeout(ANSWER_TIME_OUT, self.inputs.send(Input::Event(event))).await, Ok(Ok(())))
    }
}

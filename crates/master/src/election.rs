//! Who leads (SA-50…54): Spark's `LeaderElectionAgent`.

use std::time::SystemTime;

use async_trait::async_trait;
use firesteel_standalone::Term;

/// A master's part in an election.
#[async_trait]
pub trait LeaderElectionAgent: Send {
    /// Takes part until this master leads, and says since which term: higher than any before. A future that is dropped does not
    /// leave the election.
    ///
    /// # Errors
    ///
    /// This master can never lead.
    async fn lead(&mut self) -> Result<Term, ElectionError>;

    /// Once it leads: waits until it does no more, and says why.
    async fn deposed(&mut self) -> String;

    /// Leaves in good order, so that the next one need not wait.
    async fn leave(&mut self);
}

/// A master cannot take part in the election.
#[derive(Debug, thiserror::Error)]
#[error("this master cannot take part in the election of the leader: {0}")]
pub struct ElectionError(pub String);

/// The term after another one. It is near the clock, so that terms go on when a cluster changes `spark.deploy.recoveryMode`:
/// workers that have obeyed a master of its own clock obey the next one.
pub fn term_after(last: Option<Term>) -> Term {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let clock = u64::try_from(clock).unwrap_or(u64::MAX);
    Term(last.map_or(clock, |last| clock.max(last.0.saturating_add(1))))
}

/// A master that is alone leads at once and for ever: `NONE` and `FILESYSTEM`.
#[derive(Debug)]
pub struct MonarchyLeaderAgent {
    term: Term,
}

impl MonarchyLeaderAgent {
    /// With this term, which must be later than any before.
    pub fn new(term: Term) -> Self {
        Self { term }
    }
}

#[async_trait]
impl LeaderElectionAgent for MonarchyLeaderAgent {
    async fn lead(&mut self) -> Result<Term, ElectionError> {
        Ok(self.term)
    }

    async fn deposed(&mut self) -> String {
        std::future::pending().await
    }

    async fn leave(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_later_than_the_last_even_if_the_clock_was_set_back() {
        let now = term_after(None);
        assert!(now.0 > 1_700_000_000_000);
        assert_eq!(term_after(Some(Term(now.0 + 5_000_000))), Term(now.0 + 5_000_001));
        assert!(term_after(Some(Term(7))) >= now);
    }
}

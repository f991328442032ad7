//! Which cluster managers a key or an option means something to (AS-22).

use std::fmt;

/// The kinds of cluster manager that a master URL can name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ClusterManager {
    /// `local[…]`: driver and executor are one process.
    Local,
    /// `local-cluster[…]`: executors are processes on this machine.
    LocalCluster,
    /// `spark://…`
    Standalone,
    /// `yarn`
    Yarn,
    /// `mesos://…`
    Mesos,
    /// `k8s://…`
    Kubernetes,
    /// One that the application brings along, for URLs that are no other's.
    External,
}

impl ClusterManager {
    /// Every kind that Spark has, in the order in which the documentation lists them.
    pub const ALL: [Self; 6] =
        [Self::Local, Self::LocalCluster, Self::Standalone, Self::Yarn, Self::Mesos, Self::Kubernetes];

    /// The name people use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::LocalCluster => "local-cluster",
            Self::Standalone => "standalone",
            Self::Yarn => "YARN",
            Self::Mesos => "Mesos",
            Self::Kubernetes => "Kubernetes",
            Self::External => "external",
        }
    }
}

impl fmt::Display for ClusterManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of cluster managers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Managers(u8);

impl Managers {
    /// Every manager.
    pub const ALL: Self = Self(Self::WITH_EXECUTORS.0 | Self::of(&[ClusterManager::Local]).0);
    /// Every manager whose executors are processes of their own.
    pub const WITH_EXECUTORS: Self = Self::of(&[
        ClusterManager::LocalCluster,
        ClusterManager::Standalone,
        ClusterManager::Yarn,
        ClusterManager::Mesos,
        ClusterManager::Kubernetes,
        ClusterManager::External,
    ]);

    /// The set of these managers.
    pub const fn of(managers: &[ClusterManager]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < managers.len() {
            bits |= 1 << managers[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Is this manager in the set?
    pub const fn contains(self, manager: ClusterManager) -> bool {
        self.0 & (1 << manager as u8) != 0
    }

    /// The managers in the set, in the order of [`ClusterManager::ALL`], which does not have external ones.
    pub fn iter(self) -> impl Iterator<Item = ClusterManager> {
        ClusterManager::ALL.into_iter().filter(move |manager| self.contains(*manager))
    }
}

impl fmt::Display for Managers {
    /// `standalone, Mesos and Kubernetes`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(ClusterManager::name).collect();
        match names.split_last() {
            None => f.write_str("no cluster manager"),
            Some((only, [])) => f.write_str(only),
            Some((last, rest)) => write!(f, "{} and {last}", rest.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_print_as_a_sentence_part() {
        assert_eq!(Managers::of(&[ClusterManager::Yarn]).to_string(), "YARN");
        let set = Managers::of(&[ClusterManager::Kubernetes, ClusterManager::Standalone, ClusterManager::Mesos]);
        assert_eq!(set.to_string(), "standalone, Mesos and Kubernetes");
        assert!(set.contains(ClusterManager::Mesos) && !set.contains(ClusterManager::Local));
        assert_eq!(Managers::ALL.iter().count(), 6);
        assert!(Managers::ALL.contains(ClusterManager::External));
    }
}

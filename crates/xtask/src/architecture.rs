//! The layers of the workspace and who may use whom, declared once.
//!
//! A crate may use the layers above its own, and in its own layer what an arrow allows. An arrow that nothing uses is a
//! finding too, so that this list never says more than the code does. Dependencies of tests are free: they cannot put a
//! crate under another one.

/// Layers from the ground up, and the arrows inside of them.
#[derive(Clone, Copy, Debug)]
pub struct Architecture {
    /// Package names begin with this, folders do not.
    pub prefix: &'static str,
    /// A layer may use those before it.
    pub layers: &'static [Layer],
    /// Who may use whom inside one layer.
    pub arrows: &'static [(&'static str, &'static [&'static str])],
}

/// A row of the table in `ARCHITECTURE.md`.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Its name.
    pub name: &'static str,
    /// What is said of it above its crates.
    pub about: &'static str,
    /// What its crates may use outside of it.
    pub reach: Reach,
    /// Folders under `crates/`.
    pub crates: &'static [&'static str],
}

/// What a layer's crates may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Every layer before it.
    Below,
    /// These crates and no others. The sources are also held to the rules of cores.
    Core(&'static [&'static str]),
    /// Every crate; and no crate of another layer may use one of these except for its tests.
    Beside,
}

impl Architecture {
    /// The place of a layer and the layer that holds this crate.
    pub fn layer_of(&self, folder: &str) -> Option<(usize, &'static Layer)> {
        self.layers.iter().enumerate().find(|(_, layer)| layer.crates.contains(&folder))
    }

    /// What a crate may use inside of its own layer.
    pub fn arrows_of(&self, folder: &str) -> &'static [&'static str] {
        self.arrows.iter().find(|(from, _)| *from == folder).map_or(&[], |(_, to)| to)
    }
}

/// This workspace.
pub const FIRESTEEL: Architecture = Architecture {
    prefix: "firesteel-",
    layers: &[
        Layer {
            name: "vocabulary",
            about: "Ids, plain values, events and keys that everything else speaks of.",
            reach: Reach::Below,
            crates: &["model", "conf"],
        },
        Layer {
            name: "cores",
            about: "Decide and never act: no threads, sockets, files or clock. They use `model` and nothing else of ours.",
            reach: Reach::Core(&["model"]),
            crates: &["scheduler", "allocation", "block-master", "memory", "status", "sampling", "standalone"],
        },
        Layer {
            name: "seams",
            about: "What crosses a process boundary, and how.",
            reach: Reach::Below,
            crates: &["messages", "rpc", "io-encryption", "closure", "py4j"],
        },
        Layer {
            name: "shells",
            about: "Threads, files and sockets around the cores.",
            reach: Reach::Below,
            crates: &[
                "local-dirs",
                "block-store",
                "external-collections",
                "filesystem",
                "transfer",
                "shuffle",
                "application-files",
                "executor",
                "executor-process",
                "executor-backend",
                "driver",
                "local",
                "scheduler-backend",
                "listener-bus",
                "event-log",
                "console",
                "http-server",
                "web-pages",
                "python-worker",
                "master-client",
                "master",
                "zookeeper",
                "worker",
                "standalone-backend",
            ],
        },
        Layer {
            name: "programs",
            about: "Where everything is wired: the library that an application is built on, and the binaries.",
            reach: Reach::Below,
            crates: &["firesteel", "submit", "deploy", "doctor", "cli", "examples", "pyspark"],
        },
        Layer {
            name: "beside",
            about: "For developers; nothing that users run depends on these.",
            reach: Reach::Beside,
            crates: &["testkit", "conformance", "e2e", "simulation", "bench", "xtask"],
        },
    ],
    arrows: &[
        ("conf", &["model"]),
        ("block-store", &["local-dirs"]),
        ("transfer", &["local-dirs"]),
        ("shuffle", &["local-dirs", "transfer"]),
        ("application-files", &["local-dirs", "transfer"]),
        ("executor", &["application-files", "block-store", "local-dirs", "shuffle", "transfer"]),
        ("executor-backend", &["executor", "executor-process", "local-dirs"]),
        ("driver", &["block-store"]),
        ("master", &["http-server", "local-dirs", "master-client", "web-pages"]),
        ("zookeeper", &["master"]),
        ("standalone-backend", &["master-client", "scheduler-backend"]),
        ("local", &["driver", "executor", "executor-process", "scheduler-backend"]),
        ("scheduler-backend", &["driver"]),
        ("worker", &["executor-process", "local-dirs", "master-client", "transfer", "web-pages"]),
        ("event-log", &["listener-bus"]),
        ("deploy", &["submit"]),
        ("cli", &["deploy", "doctor", "submit"]),
        ("examples", &["firesteel"]),
        ("pyspark", &["firesteel"]),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_has_one_layer_and_every_arrow_stays_in_one() {
        let all: Vec<_> = FIRESTEEL.layers.iter().flat_map(|layer| layer.crates).collect();
        for folder in &all {
            assert_eq!(all.iter().filter(|other| other == &folder).count(), 1, "{folder}");
        }
        for (from, to) in FIRESTEEL.arrows {
            let layer = FIRESTEEL.layer_of(from).unwrap().0;
            for to in *to {
                assert_eq!(FIRESTEEL.layer_of(to).unwrap().0, layer, "{from} -> {to}");
            }
        }
    }
}

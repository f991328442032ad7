//! The web UIs of masters and workers (SA-60…67, SE-07, SE-58).

use super::{AnyKey, ClusterManager, Key, Managers, Section};

const STANDALONE: Managers = Managers::of(&[ClusterManager::Standalone]);

keys! { Standalone:
    /// The port of the master's web UI; 0 for any. The next ones are tried if it is taken, as `spark.port.maxRetries` says.
    MASTER_UI_PORT: Option<u16> = "spark.master.ui.port", since "1.1.0",
        computed("`--webui-port`, else `SPARK_MASTER_WEBUI_PORT`, else 8080"), only_on(STANDALONE);

    /// The port of a worker's web UI; 0 for any.
    WORKER_UI_PORT: Option<u16> = "spark.worker.ui.port", since "1.1.0",
        computed("`--webui-port`, else `SPARK_WORKER_WEBUI_PORT`, else 8081"), only_on(STANDALONE);

    /// Whether the master's pages have buttons that end applications and drivers (SA-65). Nobody logs in there, so without this key only who is on the master's own machine can; `true` is for everyone who reaches the port, `false` for nobody.
    UI_KILL_ENABLED: Option<bool> = "spark.ui.killEnabled", since "1.0.0",
        computed("for whoever is on the master's machine"), only_on(STANDALONE);

    /// Origins beside their own whose pages may send forms to masters, such as `https://proxy.example.com` of a proxy that gives requests another `Host`; a list with commas.
    UI_TRUSTED_ORIGINS: Option<String> = "spark.ui.trustedOrigins", since "firesteel 0.1", only_on(STANDALONE);

    /// Where the web UIs of masters and workers listen: names or addresses, with commas; `0.0.0.0` for all of the machine.
    UI_BIND_ADDRESS: Option<String> = "spark.ui.bindAddress", since "firesteel 0.1",
        computed("where the daemon itself is reached, and loopback"), only_on(STANDALONE);

    /// The web UIs of masters and workers speak TLS, and only that, at the same ports (SE-07).
    SSL_STANDALONE_ENABLED: bool = "spark.ssl.standalone.enabled", since "2.0.0", default("false"), only_on(STANDALONE);

    /// Their certificate, and those above it: a PEM file. Key stores of Java are not read.
    SSL_STANDALONE_CERT_CHAIN: Option<String> = "spark.ssl.standalone.certChain", since "firesteel 0.1", only_on(STANDALONE);

    /// Its private key: a PEM file without a password.
    SSL_STANDALONE_PRIVATE_KEY: Option<String> = "spark.ssl.standalone.privateKey", since "firesteel 0.1", only_on(STANDALONE);
}

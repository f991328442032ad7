//! Where a daemon's web UI listens, and what it is protected by (SA-10, SA-11, SE-07, SE-58).

use std::{net::IpAddr, path::Path};

use firesteel_conf::{SparkConf, keys};
use firesteel_http_server::{BoundHttpServer, HttpServerOptions, Limits, Origins, Tls, resolve};
use firesteel_model::error_chain;
use firesteel_rpc::Ports;

use crate::{Environment, properties::variable, refusal::Refusal};

/// The settings of a daemon's web UI.
#[derive(Debug)]
pub(crate) struct WebUi {
    /// The name that stands in links: `SPARK_PUBLIC_DNS`, or the daemon's own.
    pub(crate) public_host: String,
    host: String,
    port: u16,
    max_retries: u16,
    bind_address: Option<String>,
    trusted_origins: Vec<String>,
    /// The files of certificate and key.
    tls: Option<(String, String)>,
}

/// Which port: the key beats the option, which beats the environment (SA-01, SA-02).
pub(crate) fn port(
    key: Option<u16>,
    option: Option<&str>,
    environment: Option<&str>,
    default: u16,
) -> Result<u16, Refusal> {
    let not_a_port = |text: &str| Refusal::Setting(format!("{text:?} is no port of a web UI: 0 to 65535 are"));
    match (key, option.or(environment)) {
        (Some(port), _) => Ok(port),
        (None, Some(text)) => text.parse().map_err(|_| not_a_port(text)),
        (None, None) => Ok(default),
    }
}

impl WebUi {
    /// Reads what is set. What would protect the pages in Spark and does nothing here is refused, so that nobody relies on it.
    pub(crate) fn new(conf: &SparkConf, environment: &Environment, host: &str, port: u16) -> Result<Self, Refusal> {
        if let Some(filters) = conf.get_raw("spark.ui.filters").filter(|filters| !filters.trim().is_empty()) {
            return Err(Refusal::Setting(format!(
                "spark.ui.filters is {filters:?}: there are no servlet filters here, and the web UI would be open to whoever they keep \
                 out. Unset it, and put a proxy that knows users before spark.ui.bindAddress=127.0.0.1"
            )));
        }
        let tls = match conf.get(&keys::SSL_STANDALONE_ENABLED)? || conf.get_raw("spark.ssl.enabled") == Some("true") {
            true => Some(tls_files(conf)?),
            false => None,
        };
        let list = |text: Option<String>| -> Vec<String> {
            text.iter().flat_map(|text| text.split(',')).map(|part| part.trim().to_owned()).collect()
        };
        Ok(Self {
            public_host: variable(environment, "SPARK_PUBLIC_DNS").unwrap_or(host).to_owned(),
            host: host.to_owned(),
            port,
            max_retries: conf.get(&keys::PORT_MAX_RETRIES)?,
            bind_address: conf.get(&keys::UI_BIND_ADDRESS)?.filter(|address| !address.trim().is_empty()),
            trusted_origins: list(conf.get(&keys::UI_TRUSTED_ORIGINS)?),
            tls,
        })
    }

    /// Begins to listen.
    pub(crate) async fn bind(&self) -> Result<BoundHttpServer, Refusal> {
        let tls = self.tls.as_ref().map(|(certificate, key)| Tls::read(Path::new(certificate), Path::new(key)));
        let tls = tls.transpose().map_err(|error| Refusal::Start(error_chain(&error)))?;
        let names = [self.public_host.clone(), self.host.clone(), crate::master::local_host_name()];
        let options = HttpServerOptions {
            addresses: self.addresses().await?,
            ports: Ports { port: self.port, max_retries: self.max_retries },
            limits: Limits::default(),
            origins: Origins::new(names, self.trusted_origins.clone()),
            tls,
        };
        BoundHttpServer::bind(options).map_err(|error| Refusal::Start(format!("the web UI: {}", error_chain(&error))))
    }

    /// Not all of the machine, unless somebody wants that: where the daemon is reached itself, and loopback for who is there.
    async fn addresses(&self) -> Result<Vec<IpAddr>, Refusal> {
        let hosts: Vec<&str> = match &self.bind_address {
            Some(addresses) => addresses.split(',').map(str::trim).collect(),
            None => vec![&self.host, "127.0.0.1"],
        };
        let mut all = Vec::new();
        for host in hosts {
            let found =
                resolve(host).await.map_err(|error| Refusal::Start(format!("the web UI: {}", error_chain(&error))))?;
            all.extend(found);
        }
        // One for all of the machine stands for its own.
        if let Some(any) = all.iter().copied().find(IpAddr::is_unspecified) {
            all.retain(|address| *address == any || address.is_ipv4() != any.is_ipv4());
        }
        all.sort();
        all.dedup();
        Ok(all)
    }
}

/// SE-07: PEM files only.
fn tls_files(conf: &SparkConf) -> Result<(String, String), Refusal> {
    let (certificate, key) =
        (conf.get(&keys::SSL_STANDALONE_CERT_CHAIN)?, conf.get(&keys::SSL_STANDALONE_PRIVATE_KEY)?);
    if let Some(wanted) =
        conf.get_raw("spark.ssl.standalone.needClientAuth").or(conf.get_raw("spark.ssl.needClientAuth"))
        && wanted.trim().eq_ignore_ascii_case("true")
    {
        return Err(Refusal::Setting(
            "needClientAuth of spark.ssl is true: certificates of clients are not looked at here, and the web UI would be open to those \
             without one. Unset it, or put a proxy that looks at them before spark.ui.bindAddress=127.0.0.1"
                .to_owned(),
        ));
    }
    certificate.zip(key).ok_or_else(|| {
        Refusal::Setting(
            "TLS of the web UI is enabled (spark.ssl.standalone.enabled, spark.ssl.enabled), and needs two PEM files: \
             spark.ssl.standalone.certChain and spark.ssl.standalone.privateKey. A key store of Java becomes such files by keytool \
             -importkeystore -deststoretype PKCS12 and openssl pkcs12 -nodes"
                .to_owned(),
        )
    })
}

/// What is set for web UIs, is harmless, and does nothing here.
pub(crate) fn warnings(conf: &SparkConf) -> Vec<String> {
    let is_true = |key: &str| conf.get_raw(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    let mut warnings = Vec::new();
    if is_true("spark.ui.reverseProxy") {
        warnings.push(
            "spark.ui.reverseProxy does nothing: the master does not pass requests on to workers and applications"
                .to_owned(),
        );
    }
    if is_true("spark.acls.enable") {
        warnings.push(
            "spark.acls.enable does not protect pages of masters and workers, as nobody logs in there; nobody can end anything on them"
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web_ui(settings: &[(&str, &str)]) -> Result<WebUi, String> {
        let conf: SparkConf = settings.iter().copied().collect();
        WebUi::new(&conf, &Environment::default(), "127.0.0.1", 0).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_key_beats_the_option_and_the_option_beats_the_environment() {
        let of = |key, option, environment| port(key, option, environment, 8080).map_err(|refusal| refusal.to_string());
        assert_eq!(of(Some(1), Some("2"), Some("3")), Ok(1));
        assert_eq!(of(None, Some("2"), Some("3")), Ok(2));
        assert_eq!(of(None, None, Some("3")), Ok(3));
        assert_eq!(of(None, None, None), Ok(8080));
        assert!(of(None, Some("http"), None).unwrap_err().contains("is no port"));
    }

    #[test]
    fn what_would_leave_pages_open_is_refused() {
        let refused = |settings: &[(&str, &str)]| web_ui(settings).unwrap_err();
        assert!(refused(&[("spark.ui.filters", "org.example.Login")]).contains("no servlet filters"));
        let enabled = ("spark.ssl.standalone.enabled", "true");
        assert!(refused(&[enabled]).contains("two PEM files"));
        assert!(refused(&[("spark.ssl.enabled", "true")]).contains("two PEM files"));
        assert!(refused(&[enabled, ("spark.ssl.standalone.keyStore", "/a.jks")]).contains("openssl pkcs12"));
        assert!(
            refused(&[enabled, ("spark.ssl.standalone.needClientAuth", "true")]).contains("certificates of clients")
        );
        web_ui(&[]).unwrap();
    }

    #[tokio::test]
    async fn it_listens_where_the_daemon_is_unless_told() {
        let addresses = async |settings: &[(&str, &str)]| {
            let found = web_ui(settings).unwrap().addresses().await.unwrap();
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(addresses(&[]).await, ["127.0.0.1"]);
        assert_eq!(addresses(&[("spark.ui.bindAddress", "127.0.0.3, 127.0.0.2")]).await, ["127.0.0.2", "127.0.0.3"]);
        assert_eq!(addresses(&[("spark.ui.bindAddress", "127.0.0.3,0.0.0.0")]).await, ["0.0.0.0"]);
    }
}

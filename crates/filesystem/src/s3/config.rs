//! The options of one bucket.

use std::{env, net::IpAddr};

use object_store::aws::{AmazonS3, AmazonS3Builder};

use crate::{BoxedError, HadoopConf, HadoopPropertyError};

/// Parts of an upload. Every part but the last must have 5 MiB; larger ones mean more memory and fewer requests.
const PART_SIZE: u64 = 8 << 20;
const MIN_PART_SIZE: u64 = 5 << 20;
const MAX_PART_SIZE: u64 = 512 << 20;

/// `fs.s3a.*` as one bucket sees it.
pub(super) struct Settings<'a> {
    conf: &'a HadoopConf,
    bucket: &'a str,
}

impl<'a> Settings<'a> {
    pub(super) fn new(conf: &'a HadoopConf, bucket: &'a str) -> Self {
        Self { conf, bucket }
    }

    /// The key that decides: the bucket's own if it is set.
    fn key(&self, name: &str) -> String {
        let own = format!("fs.s3a.bucket.{}.{name}", self.bucket);
        if self.conf.get(&own).is_some() { own } else { format!("fs.s3a.{name}") }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.conf.get(&self.key(name)).filter(|value| !value.is_empty())
    }

    /// A key of Hadoop's first two S3 file systems, which old configurations still set (DX-19).
    fn get_old(&self, name: &str) -> Option<&'a str> {
        let keys = [format!("fs.s3n.{name}"), format!("fs.s3.{name}")];
        let key = keys.iter().find(|key| self.conf.get(key).is_some())?;
        tracing::warn!(key, "out of date; set fs.s3a.access.key and fs.s3a.secret.key");
        self.conf.get(key).filter(|value| !value.is_empty())
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, HadoopPropertyError> {
        self.conf.get_bool(&self.key(name), default)
    }

    pub(super) fn bytes(&self, name: &str, default: u64) -> Result<u64, HadoopPropertyError> {
        self.conf.get_bytes(&self.key(name), default)
    }

    /// Bytes in each part of an upload (`fs.s3a.multipart.size`).
    pub(super) fn part_size(&self) -> Result<usize, HadoopPropertyError> {
        let size = self.bytes("multipart.size", PART_SIZE)?;
        if !(MIN_PART_SIZE..=MAX_PART_SIZE).contains(&size) {
            let (key, value) = (self.key("multipart.size"), size.to_string());
            return Err(HadoopPropertyError { key, value, wanted: "a size from 5m to 512m" });
        }
        Ok(size as usize)
    }

    pub(super) fn build(&self) -> Result<AmazonS3, BoxedError> {
        let anonymous =
            self.get("aws.credentials.provider").is_some_and(|name| name.contains("AnonymousAWSCredentialsProvider"));
        let access = self.get("access.key").or_else(|| self.get_old("awsAccessKeyId"));
        let secret = self.get("secret.key").or_else(|| self.get_old("awsSecretAccessKey"));
        let mut builder = match (access, secret) {
            (Some(access), Some(secret)) => {
                // A fresh builder: a session token of the environment belongs to the environment's keys.
                let builder = AmazonS3Builder::new().with_access_key_id(access).with_secret_access_key(secret);
                match self.get("session.token") {
                    Some(token) => builder.with_token(token),
                    None => builder,
                }
            }
            (None, None) => AmazonS3Builder::from_env(),
            _ => return Err("fs.s3a.access.key and fs.s3a.secret.key must be set together".into()),
        };
        if anonymous {
            builder = builder.with_skip_signature(true);
        }
        let variable =
            |names: &[&str]| names.iter().find_map(|name| env::var(name).ok()).filter(|value| !value.is_empty());
        let region = self.get("endpoint.region").map(str::to_owned);
        if let Some(region) = region.or_else(|| variable(&["AWS_REGION", "AWS_DEFAULT_REGION"])) {
            builder = builder.with_region(region);
        }
        let endpoint = self.get("endpoint").map(str::to_owned);
        let endpoint = endpoint.or_else(|| variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]));
        // An address has no names below it, so buckets stand in the path there.
        let is_address = endpoint.as_deref().is_some_and(is_ip_address);
        let hosted = !self.flag("path.style.access", is_address)? && !is_address && !self.bucket.contains('.');
        builder = builder.with_bucket_name(self.bucket).with_virtual_hosted_style_request(hosted);
        if let Some(endpoint) = endpoint {
            let endpoint = self.endpoint_url(&endpoint, hosted)?;
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        Ok(builder.build()?)
    }

    /// The endpoint with its scheme, and with the bucket in its host name if that is how buckets are addressed.
    fn endpoint_url(&self, endpoint: &str, hosted: bool) -> Result<String, HadoopPropertyError> {
        let secure = self.flag("connection.ssl.enabled", true)?;
        let (scheme, host) = match endpoint.split_once("://") {
            Some((scheme, host)) => (scheme, host),
            None => (if secure { "https" } else { "http" }, endpoint),
        };
        let host = host.trim_end_matches('/');
        Ok(if hosted { format!("{scheme}://{}.{host}", self.bucket) } else { format!("{scheme}://{host}") })
    }
}

/// Is the host of the endpoint an IP address?
fn is_ip_address(endpoint: &str) -> bool {
    let authority = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_names() {
        for endpoint in ["http://127.0.0.1:9000", "10.0.0.7", "https://[::1]:9000/", "[fe80::1]"] {
            assert!(is_ip_address(endpoint), "{endpoint}");
        }
        for endpoint in ["http://localhost:9000", "s3.example.org", "https://1.example.org/x"] {
            assert!(!is_ip_address(endpoint), "{endpoint}");
        }
    }

    fn conf(pairs: &[(&str, &str)]) -> HadoopConf {
        let mut conf = HadoopConf::default();
        pairs.iter().for_each(|(key, value)| conf.set(key, value));
        conf
    }

    #[test]
    fn the_buckets_own_keys_come_first() {
        let conf = conf(&[("fs.s3a.endpoint", "a"), ("fs.s3a.bucket.b.endpoint", "b")]);
        assert_eq!(Settings::new(&conf, "b").get("endpoint"), Some("b"));
        assert_eq!(Settings::new(&conf, "c").get("endpoint"), Some("a"));
    }

    #[test]
    fn endpoints_as_they_are_written() {
        let conf = conf(&[("fs.s3a.bucket.plain.connection.ssl.enabled", "false")]);
        let url = |bucket, endpoint, hosted| Settings::new(&conf, bucket).endpoint_url(endpoint, hosted).unwrap();
        assert_eq!(url("b", "s3.example.com", true), "https://b.s3.example.com");
        assert_eq!(url("plain", "s3.example.com", false), "http://s3.example.com");
        assert_eq!(url("b", "http://127.0.0.1:9000/", false), "http://127.0.0.1:9000");
    }

    #[test]
    fn half_a_key_pair_is_refused() {
        let conf = conf(&[("fs.s3a.access.key", "a")]);
        let error = Settings::new(&conf, "b").build().unwrap_err().to_string();
        assert!(error.contains("fs.s3a.secret.key"), "{error}");
        let old = [("fs.s3n.awsAccessKeyId", "a"), ("fs.s3n.awsSecretAccessKey", "s"), ("fs.s3a.endpoint.region", "r")];
        assert!(Settings::new(&self::conf(&old), "b").build().is_ok());
        let conf = self::conf(&[("fs.s3a.multipart.size", "1m")]);
        assert!(Settings::new(&conf, "b").part_size().is_err());
    }
}

//! The key of the application's local files (SE-06): made by the driver, handed to executors as its secret is.

use firesteel_conf::{SparkConf, keys};
use firesteel_io_encryption::{IoEncryption, KeyLengthError, KeySize};
use tracing::warn;

use crate::{error::SparkError, settings};

/// An executor cannot encrypt what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecutorKeyError {
    /// Its cluster manager has not passed on what it was given.
    #[error(
        "{} is set, and this executor was started without the key: its cluster manager has to pass on ExecutorRequest::io_encryption",
        keys::IO_ENCRYPTION_ENABLED.name()
    )]
    Missing,
    /// What came is no key.
    #[error(transparent)]
    Length(#[from] KeyLengthError),
}

/// A new key, if the application wants its local files encrypted.
pub(crate) fn new_key(conf: &SparkConf) -> Result<Option<IoEncryption>, SparkError> {
    if !conf.get(&keys::IO_ENCRYPTION_ENABLED)? {
        return Ok(None);
    }
    // The key's own check has let no other size pass.
    let size = KeySize::of_bits(conf.get(&keys::IO_ENCRYPTION_KEY_SIZE_BITS)?).unwrap_or_default();
    Ok(Some(IoEncryption::generate(size)))
}

/// The key that the driver has made, in an executor.
pub(crate) fn executor_key(enabled: bool, key: Option<&[u8]>) -> Result<Option<IoEncryption>, ExecutorKeyError> {
    match key {
        Some(key) => Ok(Some(IoEncryption::from_key(key)?)),
        None if enabled => Err(ExecutorKeyError::Missing),
        None => Ok(None),
    }
}

/// Says so if what is encrypted on disks goes over the network in clear.
pub(crate) fn warn_of_clear_network(conf: &SparkConf) -> Result<(), SparkError> {
    if conf.get(&keys::IO_ENCRYPTION_ENABLED)? && !settings::encrypts_network(conf)? {
        warn!(
            "{} is set, and {} is not: executors send one another cached blocks and broadcast values in clear",
            keys::IO_ENCRYPTION_ENABLED.name(),
            keys::NETWORK_CRYPTO_ENABLED.name()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(settings: &[(&str, &str)]) -> Result<Option<IoEncryption>, SparkError> {
        new_key(&settings.iter().copied().collect())
    }

    #[test]
    fn each_application_that_wants_one_has_a_key_of_its_own() {
        assert!(key(&[]).unwrap().is_none());
        assert!(key(&[("spark.io.encryption.keySizeBits", "256")]).unwrap().is_none());
        let enabled = ("spark.io.encryption.enabled", "true");
        assert_eq!(key(&[enabled]).unwrap().unwrap().key_size(), KeySize::Bits128);
        for (bits, size) in [("128", KeySize::Bits128), ("192", KeySize::Bits192), ("256", KeySize::Bits256)] {
            let settings = [enabled, ("spark.io.encryption.keySizeBits", bits)];
            let [one, other] = [&settings, &settings].map(|settings| key(settings).unwrap().unwrap());
            assert_eq!(one.key_size(), size);
            assert_ne!(one.expose(), other.expose());
        }
        let error = key(&[enabled, ("spark.io.encryption.keySizeBits", "64")]).unwrap_err().to_string();
        assert!(error.contains("spark.io.encryption.keySizeBits") && error.contains("128, 192 or 256"), "{error}");
    }

    #[test]
    fn an_executor_has_its_drivers_key_or_does_not_start() {
        let driver = IoEncryption::generate(KeySize::Bits192);
        let executor = executor_key(true, Some(driver.expose())).unwrap().unwrap();
        assert_eq!(executor.expose(), driver.expose());
        assert!(executor_key(false, None).unwrap().is_none());
        assert!(matches!(executor_key(true, None), Err(ExecutorKeyError::Missing)));
        assert!(matches!(executor_key(true, Some(&[0; 5])), Err(ExecutorKeyError::Length(_))));
    }
}

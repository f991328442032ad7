//! Why a value cannot be encoded, in the words of its own `Serialize` where it has any.

use std::io;

use serde::Serialize;

/// Why a value has no encoding.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// Its `Serialize` gave this as the reason.
    #[error("its Serialize fails: {0}")]
    Refused(String),
    /// The encoding begins with the length, so a sequence cannot be written that only shows it at its end.
    #[error("its Serialize must give the length of each sequence and map")]
    UnknownLength,
    /// What else the encoder said.
    #[error("the encoder says: {0}")]
    Encoder(postcard::Error),
}

impl EncodeError {
    /// Why the encoding of `value` ended with `error`.
    ///
    /// Postcard drops the text of a `Serialize` that fails, so the value is written once more, to nowhere, in a format that
    /// keeps it. If that goes well, or fails at another place as JSON cannot have every key, the text stays unknown.
    #[cold]
    pub fn of<T: Serialize + ?Sized>(value: &T, error: postcard::Error) -> Self {
        match error {
            postcard::Error::SerializeSeqLengthUnknown => Self::UnknownLength,
            postcard::Error::SerdeSerCustom => match serde_json::to_writer(io::sink(), value) {
                Err(own) if own.is_data() => Self::Refused(own.to_string()),
                _ => Self::Encoder(error),
            },
            _ => Self::Encoder(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Serializer, ser::Error, ser::SerializeSeq};

    use super::*;

    struct Refusing;

    impl Serialize for Refusing {
        fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("the tank is empty"))
        }
    }

    struct WithoutLength;

    impl Serialize for WithoutLength {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_seq(None)?.end()
        }
    }

    fn reason<T: Serialize>(value: &T) -> String {
        EncodeError::of(value, postcard::to_stdvec(value).unwrap_err()).to_string()
    }

    #[test]
    fn each_reason_is_told() {
        let own = "its Serialize fails: the tank is empty";
        assert_eq!(reason(&Refusing), own);
        assert_eq!(reason(&(1, vec![Some(Refusing)])), own, "inside of others");
        assert_eq!(reason(&WithoutLength), "its Serialize must give the length of each sequence and map");
        // JSON stops at the key, before the value is reached.
        let keyed = BTreeMap::from([((1, 2), Refusing)]);
        assert!(reason(&keyed).starts_with("the encoder says"), "{}", reason(&keyed));
    }
}

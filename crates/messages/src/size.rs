//! How long messages are.

use postcard::ser_flavors::Size;
use serde::Serialize;

/// How many bytes the value takes in a message. What cannot be encoded counts as endless.
pub fn encoded_size(value: &impl Serialize) -> u64 {
    postcard::serialize_with_flavor(value, Size::default()).map_or(u64::MAX, |size| size as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_encoding_takes() {
        let value = (7_u64, "words", vec![Some(1.5_f64), None], bytes::Bytes::from_static(&[1; 300]));
        assert_eq!(encoded_size(&value), postcard::to_stdvec(&value).unwrap().len() as u64);
    }
}

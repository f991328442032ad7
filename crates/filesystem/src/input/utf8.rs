//! Text from bytes, as Java reads it.
//!
//! Java replaces what is not UTF-8 by U+FFFD, and so does Rust, but they disagree on encoded surrogates (`ED A0..BF …`): one
//! replacement in Java, one for each byte in Rust. Lines must be the same text here as in Spark.

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Decodes bytes, replacing malformed sequences as Java's decoder does.
pub fn decode_utf8(bytes: &[u8]) -> String {
    let mut text = String::new();
    decode_utf8_into(bytes, &mut text);
    text
}

/// [`decode_utf8`] at the end of a text that is there already.
pub fn decode_utf8_into(mut bytes: &[u8], text: &mut String) {
    loop {
        let error = match std::str::from_utf8(bytes) {
            Ok(rest) => return text.push_str(rest),
            Err(error) => error,
        };
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        text.extend(std::str::from_utf8(valid));
        text.push(REPLACEMENT);
        let malformed = match rest {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => error.error_len().unwrap_or(rest.len()),
        };
        bytes = &rest[malformed..];
    }
}

#[cfg(test)]
mod tests {
    use super::decode_utf8;

    /// What `StandardCharsets.UTF_8.newDecoder()` with `CodingErrorAction.REPLACE` gave on JDK 17; R stands for U+FFFD.
    #[test]
    fn as_java_decodes() {
        let cases: [(&[u8], &str); 22] = [
            (&[0xed, 0xa0, 0x80], "R"),
            (&[0xed, 0xa0, 0x41], "RA"),
            (&[0xed, 0xa0], "R"),
            (&[0xed], "R"),
            (&[0xed, 0xa0, 0x80, 0x41], "RA"),
            (&[0xc0, 0x80], "RR"),
            (&[0xe0, 0x80, 0x80], "RRR"),
            (&[0xf0, 0x80, 0x80, 0x80], "RRRR"),
            (&[0xf4, 0x90, 0x80, 0x80], "RRRR"),
            (&[0xf5, 0x80, 0x80, 0x80], "RRRR"),
            (&[0xe2, 0x82, 0x41], "RA"),
            (&[0xe2, 0x82], "R"),
            (&[0xf0, 0x90, 0x80], "R"),
            (&[0xf0, 0x90, 0x80, 0x41], "RA"),
            (&[0xf0, 0x41], "RA"),
            (&[0x80], "R"),
            (&[0xed, 0xbf, 0xbf, 0xed, 0xbf, 0xbf], "RR"),
            (&[0xed, 0xa0, 0xe4], "RR"),
            (&[0xed, 0xbf, 0x80, 0xbf], "RR"),
            (&[0xe0, 0xa0], "R"),
            (&[0xf8, 0x88, 0x88, 0x88], "RRRR"),
            (&[0xff, 0x41], "RA"),
        ];
        for (bytes, text) in cases {
            assert_eq!(decode_utf8(bytes).replace('\u{fffd}', "R"), text, "{bytes:x?}");
        }
        assert_eq!(decode_utf8("aé€𝄞".as_bytes()), "aé€𝄞");
    }
}

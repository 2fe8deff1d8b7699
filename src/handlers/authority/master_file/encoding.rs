//! Octets as text: hexadecimal, base64 (RFC 4648 §4) and base32hex (RFC 4648 §7).

use std::fmt::Write;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// The text is not in the encoding that was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadEncoding;

const NONE: u8 = 0xFF;

#[expect(
    clippy::indexing_slicing,
    reason = "the table is made by the compiler, which would refuse an index out of bounds"
)]
const FROM_BASE64: [u8; 256] = {
    let mut table = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        table[BASE64[value] as usize] = value as u8;
        value += 1;
    }
    table
};

fn hex_digit(byte: u8) -> Result<u8, BadEncoding> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(BadEncoding),
    }
}

/// Decodes hexadecimal text that may come in several words: an octet may be split between two.
#[derive(Default)]
pub(crate) struct HexDecoder {
    half: Option<u8>,
}

impl HexDecoder {
    pub(crate) fn word(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), BadEncoding> {
        for &byte in text {
            let digit = hex_digit(byte)?;
            match self.half.take() {
                None => self.half = Some(digit),
                Some(high) => out.push(high << 4 | digit),
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), BadEncoding> {
        if self.half.is_none() { Ok(()) } else { Err(BadEncoding) }
    }
}

/// Decodes one word of hexadecimal text.
pub(crate) fn decode_hex(text: &[u8], out: &mut Vec<u8>) -> Result<(), BadEncoding> {
    let mut decoder = HexDecoder::default();
    decoder.word(text, out)?;
    decoder.finish()
}

/// Decodes base64 text that may come in several words.
#[derive(Default)]
pub(crate) struct Base64Decoder {
    bits: u32,
    count: u32,
    is_padded: bool,
}

impl Base64Decoder {
    pub(crate) fn word(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), BadEncoding> {
        for &byte in text {
            if byte == b'=' {
                self.is_padded = true;
                continue;
            }
            let value = FROM_BASE64.get(usize::from(byte)).copied().unwrap_or(NONE);
            if value == NONE || self.is_padded {
                return Err(BadEncoding);
            }
            self.bits = self.bits << 6 | u32::from(value);
            self.count += 6;
            if self.count >= 8 {
                self.count -= 8;
                out.push((self.bits >> self.count) as u8);
            }
        }
        Ok(())
    }

    /// Ends the text: six bits alone are no octet.
    pub(crate) fn finish(self) -> Result<(), BadEncoding> {
        if self.count < 6 { Ok(()) } else { Err(BadEncoding) }
    }
}

/// Decodes one word of base64 text.
pub(crate) fn decode_base64(text: &[u8], out: &mut Vec<u8>) -> Result<(), BadEncoding> {
    let mut decoder = Base64Decoder::default();
    decoder.word(text, out)?;
    decoder.finish()
}

/// Decodes base32hex text without padding, letters of either case.
pub(crate) fn decode_base32(text: &[u8], out: &mut Vec<u8>) -> Result<(), BadEncoding> {
    let (mut bits, mut count) = (0u32, 0u32);
    for &byte in text {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'v' => byte - b'a' + 10,
            b'A'..=b'V' => byte - b'A' + 10,
            _ => return Err(BadEncoding),
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if count < 5 { Ok(()) } else { Err(BadEncoding) }
}

/// Writes hexadecimal text.
pub(crate) fn encode_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        write!(out, "{byte:02X}").unwrap_or_default(); // a String takes all
    }
}

/// Writes base64 text with padding.
pub(crate) fn encode_base64(bytes: &[u8], out: &mut String) {
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                let value = bits >> (18 - 6 * place) & 0x3F;
                out.push(char::from(BASE64.get(value as usize).copied().unwrap_or(b'=')));
            } else {
                out.push('=');
            }
        }
    }
}

/// Writes base32hex text without padding, in small letters.
pub(crate) fn encode_base32(bytes: &[u8], out: &mut String) {
    let (mut bits, mut count) = (0u32, 0u32);
    for &byte in bytes {
        bits = bits << 8 | u32::from(byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            out.push(char::from(BASE32.get((bits >> count & 0x1F) as usize).copied().unwrap_or(b'0')));
        }
    }
    if count > 0 {
        out.push(char::from(BASE32.get((bits << (5 - count) & 0x1F) as usize).copied().unwrap_or(b'0')));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(bytes: Vec<u8>, split in 0usize..40) {
            let (mut text, mut back) = (String::new(), Vec::new());
            encode_hex(&bytes, &mut text);
            let cut = split.min(text.len());
            let mut hex = HexDecoder::default();
            prop_assert_eq!(hex.word(&text.as_bytes()[..cut], &mut back), Ok(()));
            prop_assert_eq!(hex.word(&text.as_bytes()[cut..], &mut back), Ok(()));
            prop_assert_eq!(hex.finish(), Ok(()));
            prop_assert_eq!(&back, &bytes);

            let (mut text, mut back) = (String::new(), Vec::new());
            encode_base64(&bytes, &mut text);
            prop_assert_eq!(decode_base64(text.as_bytes(), &mut back), Ok(()));
            prop_assert_eq!(&back, &bytes);

            let (mut text, mut back) = (String::new(), Vec::new());
            encode_base32(&bytes, &mut text);
            prop_assert_eq!(decode_base32(text.as_bytes(), &mut back), Ok(()));
            prop_assert_eq!(&back, &bytes);
        }

        #[test]
        fn a_hash_label_is_its_base32(hash: [u8; 20]) {
            let mut text = String::new();
            encode_base32(&hash, &mut text);
            let label = crate::dns::dnssec::denial::nsec3::label(&hash);
            prop_assert_eq!(label.as_slice(), text.as_bytes());
        }
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let mut text = String::new();
        encode_base64(b"foobar", &mut text);
        encode_base64(b"fooba", &mut text);
        encode_base64(b"foob", &mut text);
        assert_eq!(text, "Zm9vYmFyZm9vYmE=Zm9vYg==");
    }
}

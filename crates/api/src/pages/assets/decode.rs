//! From the body of an upload to assets, with one copy of the bytes in memory.
//!
//! First the body is parsed, borrowing; then what was borrowed is remembered as places in the body; then
//! each base64 text is hashed (an asset's key is a hash of the text) and decoded over itself; at last the
//! body is frozen and every asset becomes a slice of it.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use offprint_model::asset::{AssetKey, KeyHasher};
use offprint_store::Upload;
use offprint_wire::asset::{AssetUpload, read_uploads};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::InvalidMember;

use crate::error::{ApiError, Result};

const BASE64: base64_simd::Base64 = base64_simd::STANDARD;

/// What an upload may hold.
#[derive(Clone, Copy)]
pub(super) struct DecodeLimits {
    pub(super) assets_max: usize,
    pub(super) asset_bytes_max: usize,
}

/// An asset whose text may still be in the body.
struct Found {
    key: AssetKey,
    content_type: String,
    text: Text,
    base64: bool,
}

enum Text {
    /// It stands in the body, as it is.
    At(Range<usize>),
    /// JSON escapes were taken out of it (some writers escape the slash), so it stands alone.
    Alone(Vec<u8>),
}

enum Decoded {
    At(Range<usize>),
    Alone(Bytes),
}

/// Reads the body of an upload.
pub(super) fn uploads(mut body: BytesMut, limits: DecodeLimits) -> Result<Vec<Upload>> {
    let found: Vec<Found> = read_uploads(&body, limits.assets_max)?
        .into_iter()
        .enumerate()
        .map(|(n, asset)| found(n, asset, &body))
        .collect::<Result<_>>()?;
    let mut decoded = Vec::with_capacity(found.len());
    for (n, asset) in found.into_iter().enumerate() {
        decoded.push(decode(n, asset, &mut body, limits.asset_bytes_max)?);
    }
    let body = body.freeze();
    let upload = |(key, content_type, key_hasher, bytes)| {
        let bytes = match bytes {
            Decoded::At(place) => body.slice(place),
            Decoded::Alone(bytes) => bytes,
        };
        Upload { key, bytes, content_type, key_hasher }
    };
    Ok(decoded.into_iter().map(upload).collect())
}

fn found(n: usize, asset: AssetUpload<'_>, body: &[u8]) -> Result<Found> {
    let key = AssetKey::parse(&asset.key)
        .map_err(|rule| InvalidMember::new(format!("[{n}].key"), format!("is not valid: {rule}")))?;
    let text = match asset.value {
        Cow::Borrowed(text) => Text::At(place_in(body, text)),
        Cow::Owned(text) => Text::Alone(text.into_bytes()),
    };
    Ok(Found { key, content_type: asset.metadata.content_type.into_owned(), text, base64: asset.base64 })
}

/// Where a borrowed text stands.
fn place_in(body: &[u8], text: &str) -> Range<usize> {
    let start = text.as_ptr().addr() - body.as_ptr().addr();
    start..start + text.len()
}

fn decode(
    n: usize,
    asset: Found,
    body: &mut [u8],
    bytes_max: usize,
) -> Result<(AssetKey, String, KeyHasher, Decoded)> {
    let Found { key, content_type, text, base64 } = asset;
    let (hasher, decoded) = match text {
        Text::At(place) => {
            let (hasher, length) =
                decode_over(&mut body[place.clone()], base64).map_err(|()| not_base64(n, &key))?;
            (hasher, Decoded::At(place.start..place.start + length))
        }
        Text::Alone(mut text) => {
            let (hasher, length) = decode_over(&mut text, base64).map_err(|()| not_base64(n, &key))?;
            text.truncate(length);
            (hasher, Decoded::Alone(text.into()))
        }
    };
    let length = match &decoded {
        Decoded::At(place) => place.len(),
        Decoded::Alone(bytes) => bytes.len(),
    };
    if length > bytes_max {
        let message = format!("The asset [{n}] with key {key} has {length} bytes; {bytes_max} is the most.");
        return Err(ApiError::explained(ErrorCode::AssetTooLarge, message));
    }
    Ok((key, content_type, hasher, decoded))
}

/// Decodes a text over itself; yields the hash that its key is made of and the number of bytes.
///
/// Line breaks in the text are taken out first (mail-style encoders put them in). Apart from those it must
/// be the one canonical text, because that is what clients hash.
fn decode_over(text: &mut [u8], base64: bool) -> Result<(KeyHasher, usize), ()> {
    if !base64 {
        return Ok((KeyHasher::of_bytes(text), text.len()));
    }
    let length = if BASE64.check(text).is_ok() { text.len() } else { squeeze(text) };
    let text = &mut text[..length];
    BASE64.check(text).map_err(drop)?;
    let mut hasher = KeyHasher::default();
    hasher.update_base64(text);
    let length = BASE64.decode_inplace(text).map_err(drop)?.len();
    Ok((hasher, length))
}

/// Moves everything but white space to the front; yields how much that is.
fn squeeze(text: &mut [u8]) -> usize {
    let mut length = 0;
    for at in 0..text.len() {
        if !text[at].is_ascii_whitespace() {
            text[length] = text[at];
            length += 1;
        }
    }
    length
}

fn not_base64(n: usize, key: &AssetKey) -> ApiError {
    InvalidMember::new(format!("[{n}].value"), format!("is not base64 (the asset has the key {key})")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: DecodeLimits = DecodeLimits { assets_max: 3, asset_bytes_max: 1000 };

    fn read(body: &str) -> Result<Vec<Upload>> {
        uploads(BytesMut::from(body.as_bytes()), LIMITS)
    }

    fn item(value: &str, base64: bool) -> String {
        serde_json::json!({"key": "k", "value": value, "metadata": {"contentType": "text/html"}, "base64": base64})
            .to_string()
    }

    #[test]
    fn assets_are_slices_of_the_body_with_their_keys() {
        let (one, two) = (item("PGgxPmhpPC9oMT4=", true), item("eA==", true));
        let uploads = read(&format!("[{one},{two}]")).unwrap();
        assert_eq!(uploads[0].bytes, "<h1>hi</h1>");
        assert_eq!(uploads[0].key_hasher.key("html").as_str(), "e5e943f01929441dfbb0d4956a759fda");
        assert_eq!((uploads[1].bytes.as_ref(), uploads[1].content_type.as_str()), (&b"x"[..], "text/html"));
    }

    #[test]
    fn other_spellings_have_the_key_of_the_canonical_one() {
        for body in [
            item("PGgxPmhpPC9o\nMT4=\r\n", true),
            item("PGgxPmhpPC9oMT4=", true).replace("9oMT4", "9o\\u004dT4"),
            item("<h1>hi</h1>", false),
        ] {
            let uploads = read(&format!("[{body}]")).unwrap();
            assert_eq!(uploads[0].bytes, "<h1>hi</h1>", "{body}");
            let key = uploads[0].key_hasher.key("html");
            assert_eq!(key.as_str(), "e5e943f01929441dfbb0d4956a759fda", "{body}");
        }
    }

    #[test]
    fn refusals_name_the_asset() {
        let message = |body: &str| format!("{:?}", read(body).err().unwrap());
        for value in ["PGg*", "QQ", "QR==", "QQ=", "Q", "QQ==QQ=="] {
            assert!(
                message(&format!("[{}]", item(value, true))).contains("[0].value is not base64"),
                "{value}"
            );
        }
        assert!(message(&format!("[{}]", item(&"A".repeat(2000), true))).contains("AssetTooLarge"));
        let bad_key = item("", true).replace("\"k\"", "\"k k\"");
        assert!(message(&format!("[{bad_key}]")).contains("[0].key is not valid"));
        assert!(message("[").contains("is not valid: EOF"));
        let four = vec![item("", true); 4].join(",");
        assert!(message(&format!("[{four}]")).contains("more than 3 assets"));
    }

    proptest::proptest! {
        #[test]
        fn what_was_encoded_is_decoded(pieces in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..50), 1..4)) {
            let items: Vec<String> = pieces.iter().map(|piece| item(&BASE64.encode_to_string(piece), true)).collect();
            let uploads = read(&format!("[{}]", items.join(", "))).unwrap();
            for (upload, piece) in uploads.iter().zip(&pieces) {
                proptest::prop_assert_eq!(&upload.bytes[..], &piece[..]);
                proptest::prop_assert_eq!(upload.key_hasher.key("x"), KeyHasher::of_bytes(piece).key("x"));
            }
        }
    }
}

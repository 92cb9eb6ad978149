//! Objects of R2 buckets: their names, their metadata, and the rules by which they are asked for (R2, "Workers API").

use std::fmt;

use crate::time::Timestamp;

/// The longest key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;
/// The largest custom metadata, names and values together.
pub const CUSTOM_METADATA_BYTES_MAX: usize = 8192;
/// The largest object of one upload, and the largest part.
pub const UPLOAD_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024 - 5 * 1024 * 1024;
/// The smallest part, the last one apart.
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Parts of an object.
pub const PARTS_MAX: u32 = 10_000;
/// Objects and prefixes of one answer to a list.
pub const LIST_MAX: usize = 1000;

/// A key: 1 to 1024 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(Box<str>);

impl ObjectKey {
    /// Checks a key.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn parse(text: &str) -> Result<Self, R2Refusal> {
        match text.len() {
            1..=KEY_BYTES_MAX => Ok(Self(text.into())),
            _ => Err(R2Refusal::InvalidObjectName),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What HTTP says of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpMetadata {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`, in milliseconds since the Unix epoch.
    pub cache_expiry: Option<u64>,
}

/// What an uploader says of an object: names and values, each name once, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomMetadata(Vec<(String, String)>);

impl CustomMetadata {
    /// Checks metadata.
    ///
    /// # Errors
    /// It is too large.
    pub fn new(pairs: Vec<(String, String)>) -> Result<Self, R2Refusal> {
        let size: usize = pairs.iter().map(|(name, value)| counted(name) + counted(value)).sum();
        if size > CUSTOM_METADATA_BYTES_MAX {
            return Err(R2Refusal::MetadataTooLarge);
        }
        Ok(Self(pairs))
    }

    /// Metadata as it was stored.
    pub const fn stored(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Names and values.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// The length that the real service counts: UTF-16 when a character needs it, else one byte a character.
fn counted(text: &str) -> usize {
    let units = text.encode_utf16().count();
    if text.chars().any(|c| u32::from(c) > 0xff) { units * 2 } else { units }
}

/// Algorithms of checksums, in the order of the numbers that stand for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChecksumAlgorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The length of a checksum, in bytes.
    pub const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// How it was made.
    pub algorithm: ChecksumAlgorithm,
    /// It.
    pub digest: Vec<u8>,
}

impl Checksum {
    /// In hex digits.
    pub fn to_hex(&self) -> String {
        hex(&self.digest)
    }
}

/// Bytes in hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An object, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: ObjectKey,
    /// Which of the uploads under this key; never the same twice.
    pub version: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its entity tag without quotes: the MD5 of its bytes or, of several parts, the MD5 of their MD5s with their number.
    pub etag: String,
    /// When it was uploaded.
    pub uploaded: Timestamp,
    /// What HTTP says of it.
    pub http: HttpMetadata,
    /// What its uploader says of it.
    pub custom: CustomMetadata,
    /// MD5 and what the uploader gave; of several parts there are none.
    pub checksums: Vec<Checksum>,
}

/// An entity tag in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtagRule {
    /// Any.
    Wildcard,
    /// This one.
    Strong(String),
    /// This one, for comparisons that may be weak.
    Weak(String),
}

/// When something is to be done: all that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// One of these is the object's.
    pub etag_matches: Option<Vec<EtagRule>>,
    /// None of these is the object's.
    pub etag_does_not_match: Option<Vec<EtagRule>>,
    /// It was uploaded before, in milliseconds since the Unix epoch.
    pub uploaded_before: Option<u64>,
    /// It was uploaded after, in milliseconds since the Unix epoch.
    pub uploaded_after: Option<u64>,
    /// Whether times are compared by the second, as headers have them.
    pub by_seconds: bool,
}

impl Conditions {
    /// Whether they hold for what there is: entity tag and time of the object, or nothing.
    ///
    /// As in RFC 9110, section 13.2: a matching entity tag outweighs a time.
    pub fn hold(&self, current: Option<(&str, Timestamp)>) -> bool {
        let Some((etag, uploaded)) = current else {
            return self.etag_matches.is_none() && self.uploaded_after.is_none();
        };
        let cut = |millis: u64| if self.by_seconds { millis / 1000 * 1000 } else { millis };
        let uploaded = cut(u64::try_from(uploaded.as_micros() / 1000).unwrap_or_default());
        let matches = self.etag_matches.as_ref().map(|rules| rules.iter().any(|rule| rule.fits(etag, false)));
        let differs =
            self.etag_does_not_match.as_ref().map(|rules| !rules.iter().any(|rule| rule.fits(etag, true)));
        let after = self.uploaded_after.is_none_or(|time| cut(time) < uploaded) || differs == Some(true);
        let before = self.uploaded_before.is_none_or(|time| uploaded < cut(time)) || matches == Some(true);
        matches.unwrap_or(true) && differs.unwrap_or(true) && after && before
    }
}

impl EtagRule {
    fn fits(&self, etag: &str, weakly: bool) -> bool {
        match self {
            Self::Wildcard => true,
            Self::Strong(wanted) => wanted == etag,
            Self::Weak(wanted) => weakly && wanted == etag,
        }
    }
}

/// Which bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectRange {
    /// From an offset, so many; without a length, to the end.
    From {
        /// The first byte.
        offset: u64,
        /// How many.
        length: Option<u64>,
    },
    /// The last so many.
    Suffix(u64),
}

impl ObjectRange {
    /// First byte and number of bytes, within an object of this size.
    ///
    /// # Errors
    /// There are no such bytes.
    pub fn within(self, size: u64) -> Result<(u64, u64), R2Refusal> {
        let (offset, length) = match self {
            Self::From { offset, length } => (offset, length.unwrap_or(size.saturating_sub(offset))),
            Self::Suffix(length) => (size.saturating_sub(length), length.min(size)),
        };
        if offset > size || length == 0 {
            return Err(R2Refusal::InvalidRange);
        }
        Ok((offset, length.min(size - offset)))
    }
}

/// Why R2 refuses something, in its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum R2Refusal {
    /// The bucket was deleted.
    NoSuchBucket,
    /// No object has this key.
    NoSuchKey,
    /// Only empty buckets are deleted.
    BucketNotEmpty,
    /// A part that is too small and not the last.
    EntityTooSmall,
    /// Custom metadata that is too large.
    MetadataTooLarge,
    /// A key that is empty or too long.
    InvalidObjectName,
    /// A list of none or too many.
    InvalidMaxKeys,
    /// The multipart upload is not known, or has ended.
    NoSuchUpload,
    /// A part that was not uploaded, or not as this one.
    InvalidPart,
    /// A request that makes no sense.
    InvalidArgument(String),
    /// A condition does not hold.
    PreconditionFailed,
    /// The bytes are other ones than their checksum says.
    BadDigest {
        /// What was said.
        provided: Checksum,
        /// What was found.
        actual: Checksum,
    },
    /// There are no such bytes.
    InvalidRange,
    /// Parts of different sizes.
    BadUpload,
    /// An object or a part that is too large.
    EntityTooLarge,
}

impl R2Refusal {
    /// The number by which clients know it.
    pub const fn code(&self) -> u32 {
        match self {
            Self::NoSuchBucket => 10006,
            Self::NoSuchKey => 10007,
            Self::BucketNotEmpty => 10008,
            Self::EntityTooSmall => 10011,
            Self::MetadataTooLarge => 10012,
            Self::InvalidObjectName => 10020,
            Self::InvalidMaxKeys => 10022,
            Self::NoSuchUpload => 10024,
            Self::InvalidPart => 10025,
            Self::InvalidArgument(_) => 10029,
            Self::PreconditionFailed => 10031,
            Self::BadDigest { .. } => 10037,
            Self::InvalidRange => 10039,
            Self::BadUpload => 10048,
            Self::EntityTooLarge => 100_100,
        }
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::NoSuchBucket | Self::NoSuchKey => 404,
            Self::BucketNotEmpty => 409,
            Self::PreconditionFailed => 412,
            Self::InvalidRange => 416,
            Self::EntityTooSmall
            | Self::MetadataTooLarge
            | Self::InvalidObjectName
            | Self::InvalidMaxKeys
            | Self::NoSuchUpload
            | Self::InvalidPart
            | Self::InvalidArgument(_)
            | Self::BadDigest { .. }
            | Self::BadUpload
            | Self::EntityTooLarge => 400,
        }
    }
}

impl std::error::Error for R2Refusal {}

impl fmt::Display for R2Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchBucket => "The specified bucket does not exist.",
            Self::NoSuchKey => "The specified key does not exist.",
            Self::BucketNotEmpty => "The bucket you tried to delete is not empty.",
            Self::EntityTooSmall => "Your proposed upload is smaller than the minimum allowed object size.",
            Self::MetadataTooLarge => "Your metadata headers exceed the maximum allowed metadata size.",
            Self::InvalidObjectName => "The specified object name is not valid.",
            Self::InvalidMaxKeys => "MaxKeys params must be positive integer <= 1000.",
            Self::NoSuchUpload => "The specified multipart upload does not exist.",
            Self::InvalidPart => "One or more of the specified parts could not be found.",
            Self::InvalidArgument(why) => return f.write_str(why),
            Self::PreconditionFailed => "At least one of the pre-conditions you specified did not hold.",
            Self::BadDigest { provided, actual } => {
                let name = provided.algorithm.as_str();
                let (provided, actual) = (provided.to_hex(), actual.to_hex());
                return write!(
                    f,
                    "The {name} checksum you specified did not match what we received.\nYou provided a {name} checksum \
                     with value: {provided}\nActual {name} was: {actual}"
                );
            }
            Self::InvalidRange => "The requested range is not satisfiable",
            Self::BadUpload => "There was a problem with the multipart upload.",
            Self::EntityTooLarge => "Your proposed upload exceeds the maximum allowed object size.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lie_within_the_object() {
        let from = |offset, length| ObjectRange::From { offset, length };
        for (range, size, expected) in [
            (from(0, None), 5, Ok((0, 5))),
            (from(1, None), 5, Ok((1, 4))),
            (from(1, Some(2)), 5, Ok((1, 2))),
            (from(4, Some(u64::MAX)), 5, Ok((4, 1))),
            (from(5, None), 5, Err(R2Refusal::InvalidRange)),
            (from(6, Some(1)), 5, Err(R2Refusal::InvalidRange)),
            (from(0, Some(0)), 5, Err(R2Refusal::InvalidRange)),
            (ObjectRange::Suffix(2), 5, Ok((3, 2))),
            (ObjectRange::Suffix(99), 5, Ok((0, 5))),
            (ObjectRange::Suffix(0), 5, Err(R2Refusal::InvalidRange)),
            (ObjectRange::Suffix(1), 0, Err(R2Refusal::InvalidRange)),
        ] {
            assert_eq!(range.within(size), expected, "{range:?}");
        }
    }

    #[test]
    fn a_matching_tag_outweighs_a_time() {
        let at = Timestamp::from_micros(10_500_000);
        let tag = |etag: &str| Some(vec![EtagRule::Strong(etag.into())]);
        let none = Conditions::default();
        assert!(none.hold(None) && none.hold(Some(("e", at))));
        for (conditions, holds, absent) in [
            (Conditions { etag_matches: tag("e"), ..none.clone() }, true, false),
            (Conditions { etag_matches: tag("x"), ..none.clone() }, false, false),
            (
                Conditions { etag_matches: Some(vec![EtagRule::Weak("e".into())]), ..none.clone() },
                false,
                false,
            ),
            (Conditions { etag_matches: Some(vec![EtagRule::Wildcard]), ..none.clone() }, true, false),
            (Conditions { etag_does_not_match: tag("e"), ..none.clone() }, false, true),
            (Conditions { etag_does_not_match: tag("x"), ..none.clone() }, true, true),
            (
                Conditions { etag_does_not_match: Some(vec![EtagRule::Weak("e".into())]), ..none.clone() },
                false,
                true,
            ),
            (Conditions { uploaded_before: Some(10_501), ..none.clone() }, true, true),
            (Conditions { uploaded_before: Some(10_500), ..none.clone() }, false, true),
            (Conditions { uploaded_after: Some(10_499), ..none.clone() }, true, false),
            (Conditions { uploaded_after: Some(10_499), by_seconds: true, ..none.clone() }, false, false),
            (Conditions { uploaded_before: Some(0), etag_matches: tag("e"), ..none.clone() }, true, false),
            (Conditions { uploaded_after: Some(99_999), etag_does_not_match: tag("x"), ..none }, true, false),
        ] {
            assert_eq!(conditions.hold(Some(("e", at))), holds, "{conditions:?}");
            assert_eq!(conditions.hold(None), absent, "{conditions:?}");
        }
    }

    #[test]
    fn metadata_is_counted_in_bytes_or_utf_16() {
        let pair = |value: String| vec![("n".to_owned(), value)];
        assert!(CustomMetadata::new(pair("ü".repeat(8191))).is_ok());
        assert!(CustomMetadata::new(pair("x".repeat(8192))).is_err());
        assert!(CustomMetadata::new(pair("я".repeat(4096))).is_err());
    }
}

//! The MD5 of what comes in, which is its entity tag, and one more digest where somebody asked for it.

use aws_lc_rs::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
use md5::{Digest, Md5};
use offprint_model::object::{Checksum, ChecksumAlgorithm};

pub(super) struct Digests {
    md5: Md5,
    other: Option<(ChecksumAlgorithm, Context)>,
}

impl Digests {
    pub(super) fn new(wanted: Option<ChecksumAlgorithm>) -> Self {
        let other = wanted.and_then(|wanted| Some((wanted, Context::new(algorithm(wanted)?))));
        Self { md5: Md5::new(), other }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if let Some((_, context)) = &mut self.other {
            context.update(bytes);
        }
    }

    /// The MD5 first.
    pub(super) fn finish(self) -> Vec<Checksum> {
        let md5 = Checksum { algorithm: ChecksumAlgorithm::Md5, digest: self.md5.finalize().to_vec() };
        let other = self
            .other
            .map(|(algorithm, context)| Checksum { algorithm, digest: context.finish().as_ref().to_vec() });
        std::iter::once(md5).chain(other).collect()
    }
}

fn algorithm(wanted: ChecksumAlgorithm) -> Option<&'static Algorithm> {
    Some(match wanted {
        ChecksumAlgorithm::Md5 => return None,
        ChecksumAlgorithm::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
        ChecksumAlgorithm::Sha256 => &SHA256,
        ChecksumAlgorithm::Sha384 => &SHA384,
        ChecksumAlgorithm::Sha512 => &SHA512,
    })
}

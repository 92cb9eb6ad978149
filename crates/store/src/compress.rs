//! The three codings in which assets are stored and sent compressed.
//!
//! The same bytes always give the same result, so that a variant made twice is the same file twice.
//!
//! The levels were chosen by this run, one core, ratio in percent of the original and speed in MB/s:
//!
//! | | 5 KB page | 89 KB script | 239 KB WebAssembly | 5.0 MB script | 4.4 MB page |
//! |---|---|---|---|---|---|
//! | brotli 4 | 37.7, 22 | 35.9, 21 | 42.6, 31 | 24.8, 16 | 11.7, 37 |
//! | brotli 5 | 35.9, 0.6 | 34.1, 14 | 40.3, 22 | 22.9, 11 | 10.7, 18 |
//! | brotli 9 | 35.2, 0.7 | 33.7, 2.6 | 39.8, 3.5 | 21.8, 3.4 | 9.8, 9.5 |
//! | brotli 11 | 31.3, 0.5 | 31.5, 0.7 | 35.8, 0.5 | 20.0, 0.5 | 8.6, 0.5 |
//! | zstd 3 | 40.5, 135 | 36.9, 221 | 43.8, 169 | 26.1, 178 | 13.3, 245 |
//! | zstd 17 | 39.2, 4.9 | 33.2, 6.3 | 38.3, 3.1 | 21.1, 2.7 | 9.2, 3.4 |
//! | zstd 19 | 39.2, 4.8 | 33.1, 3.0 | 38.3, 2.0 | 20.8, 1.6 | 9.0, 2.1 |
//! | gzip 6 | 39.3, 90 | 35.2, 60 | 43.6, 46 | 25.8, 57 | 13.8, 103 |
//! | gzip 9 | 39.5, 69 | 34.9, 34 | 43.1, 14 | 25.5, 37 | 13.6, 57 |

use std::io::{self, Read};

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use offprint_model::encoding::Encoding;

/// How much time a better ratio is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// For bytes that somebody waits for: 15 MB a second and more, also for small pages.
    Quick,
    /// For bytes that are compressed once and sent many times: what is small gets the best there is, and a
    /// coding takes about a second for 3 MB of what is large. Needs up to 75 MiB while it runs.
    Best,
}

/// Up to this length the best levels may take their time, which is half a second here.
const SMALL_BYTES_MAX: usize = 256 << 10;

/// Compresses. Takes as long as it takes: call it on a thread for such work.
///
/// # Errors
/// The encoder has no memory for its tables.
pub fn compress(bytes: &[u8], encoding: Encoding, effort: Effort) -> io::Result<Vec<u8>> {
    compress_from(bytes, bytes.len(), encoding, effort)
}

/// Undoes [`compress`].
///
/// # Errors
/// The bytes are not of this coding, or there would be more than the maximum.
pub fn decompress(bytes: &[u8], encoding: Encoding, bytes_max: usize) -> io::Result<Vec<u8>> {
    match encoding {
        Encoding::Brotli => read_up_to(brotli::Decompressor::new(bytes, 4096), bytes_max),
        Encoding::Zstd => read_up_to(zstd::stream::read::Decoder::with_buffer(bytes)?, bytes_max),
        Encoding::Gzip => read_up_to(GzDecoder::new(bytes), bytes_max),
    }
}

/// Compresses what a reader gives, which is so long. An error of the reader ends it.
pub(crate) fn compress_from(
    mut reader: impl Read,
    size: usize,
    encoding: Encoding,
    effort: Effort,
) -> io::Result<Vec<u8>> {
    let small = size <= SMALL_BYTES_MAX;
    let compressed = Vec::with_capacity(size / 4);
    match encoding {
        Encoding::Brotli => brotli(reader, size, effort),
        Encoding::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(compressed, zstd_level(effort, small))?;
            encoder.set_pledged_src_size(Some(size as u64))?;
            io::copy(&mut reader, &mut encoder)?;
            encoder.finish()
        }
        Encoding::Gzip => {
            // Its header has neither a time nor a name.
            let mut encoder = GzEncoder::new(compressed, gzip_level(effort));
            io::copy(&mut reader, &mut encoder)?;
            encoder.finish()
        }
    }
}

fn brotli(mut reader: impl Read, size: usize, effort: Effort) -> io::Result<Vec<u8>> {
    let quality = match effort {
        Effort::Quick => 4,
        Effort::Best if size <= SMALL_BYTES_MAX => 11,
        Effort::Best => 9,
    };
    let params =
        BrotliEncoderParams { quality, lgwin: brotli_window(size), size_hint: size, ..Default::default() };
    let mut compressed = Vec::with_capacity(size / 4);
    brotli::BrotliCompress(&mut reader, &mut compressed, &params)?;
    Ok(compressed)
}

/// The logarithm of the smallest window that reaches back to the beginning, 4 MiB at the most: the encoder's
/// tables grow with it, and the reader's memory.
fn brotli_window(size: usize) -> i32 {
    (16..22).find(|bits| (1 << bits) - 16 >= size).unwrap_or(22)
}

/// At the most 19: its window is the 8 MiB that every reader must take (RFC 9659, 3); higher levels have
/// larger ones.
const fn zstd_level(effort: Effort, small: bool) -> i32 {
    match effort {
        Effort::Quick => 3,
        Effort::Best if small => 19,
        Effort::Best => 17,
    }
}

const fn gzip_level(effort: Effort) -> Compression {
    match effort {
        Effort::Quick => Compression::new(6),
        Effort::Best => Compression::best(),
    }
}

fn read_up_to(mut reader: impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = (bytes_max as u64).saturating_add(1);
    reader.by_ref().take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(io::Error::other("there are more bytes than expected"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_was_compressed_comes_back(word in "[a-z<>/ ]{0,40}", times in 0usize..400) {
            let text = word.repeat(times);
            for encoding in Encoding::ALL {
                for effort in [Effort::Quick, Effort::Best] {
                    let compressed = compress(text.as_bytes(), encoding, effort).unwrap();
                    let plain = decompress(&compressed, encoding, text.len()).unwrap();
                    prop_assert!(plain == text.as_bytes());
                    prop_assert!(compressed == compress(text.as_bytes(), encoding, effort).unwrap());
                }
            }
        }

        #[test]
        fn what_was_not_compressed_is_an_error_or_something_short(bytes in any::<Vec<u8>>()) {
            for encoding in Encoding::ALL {
                if let Ok(plain) = decompress(&bytes, encoding, 1000) {
                    prop_assert!(plain.len() <= 1000);
                }
            }
        }
    }

    #[test]
    fn a_large_text_gets_smaller_in_each_coding_and_smallest_in_the_first() {
        let text: String = (0..60_000u64).map(|n| format!("{} ", n.wrapping_mul(n) % 9973)).collect();
        assert!(text.len() > SMALL_BYTES_MAX);
        let size = |encoding| {
            let compressed = compress(text.as_bytes(), encoding, Effort::Best).unwrap();
            assert!(decompress(&compressed, encoding, text.len()).unwrap() == text.as_bytes());
            assert!(decompress(&compressed, encoding, text.len() - 1).is_err(), "more than the maximum");
            compressed.len()
        };
        let [brotli, zstd, gzip] = Encoding::ALL.map(size);
        assert!(brotli < gzip && zstd < gzip && gzip < text.len() / 2, "{brotli} {zstd} {gzip}");
    }

    /// So that the same page is the same answer.
    #[test]
    fn gzip_says_neither_when_nor_what_nor_where() {
        let compressed = compress(b"hello", Encoding::Gzip, Effort::Best).unwrap();
        assert_eq!(compressed[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
        assert_eq!(compressed[9], 255);
    }

    #[test]
    fn windows_reach_back_to_the_beginning_within_limits() {
        for (size, window) in [(0, 16), (65_520, 16), (65_521, 17), (4 << 20, 22), (1 << 30, 22)] {
            assert_eq!(brotli_window(size), window, "{size}");
        }
    }
}

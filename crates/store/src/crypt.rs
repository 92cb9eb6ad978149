//! The store's secret: encryption of secret values at rest, and keys derived for other uses.
//!
//! XChaCha20-Poly1305: its 24-byte nonce may be drawn at random for every value without a counter. The owner
//! and the name of a value are authenticated with it, so a stored secret cannot be moved to another place.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use offprint_model::secret::Secret;
use uuid::Uuid;

use crate::error::{Result, StoreError};

const KEY_FILE: &str = "secret.key";
const NONCE_BYTES: usize = 24;

/// Keys derived from `secret.key`.
pub(crate) struct Keys {
    /// Names the key, and tells nothing about it.
    pub(crate) id: String,
    pub(crate) signing: Secret<[u8; 32]>,
    /// Authenticates the cursors of lists.
    pub(crate) cursors: Secret<[u8; 32]>,
    cipher: XChaCha20Poly1305,
}

impl Keys {
    /// Reads the key file of a data directory, making it when absent. Made once and for all: of two
    /// processes that start at once, both use the file of the first.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let path = data.join(KEY_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_key(data, &path).map_err(StoreError::io(&path))?;
                fs::read(&path).map_err(StoreError::io(&path))?
            }
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        match <[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok(Self::derive(&Secret::new(key))),
            Err(_) => Err(StoreError::Corrupt(format!("{} does not hold 32 bytes", path.display()))),
        }
    }

    fn derive(key: &Secret<[u8; 32]>) -> Self {
        let derive = |purpose: &str| blake3::derive_key(purpose, key.expose());
        let id = blake3::Hash::from_bytes(derive("offprint store 2026 key id")).to_hex();
        let cipher = XChaCha20Poly1305::new(&derive("offprint store 2026 secret values").into());
        let signing = Secret::new(derive("offprint store 2026 upload tokens"));
        let cursors = Secret::new(derive("offprint store 2026 cursors"));
        Self { id: id[..16].to_owned(), signing, cursors, cipher }
    }

    /// Encrypts a value: nonce and ciphertext in hex digits.
    pub(crate) fn seal(&self, owner: &str, name: &str, value: &Secret<String>) -> Result<String> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let aad = aad(owner, name);
        let payload = Payload { msg: value.expose().as_bytes(), aad: &aad };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| StoreError::Corrupt("a secret is too long to encrypt".into()))?;
        Ok(hex(&[&nonce[..], &sealed].concat()))
    }

    /// Decrypts what [`Keys::seal`] made for the same owner and name.
    pub(crate) fn unseal(&self, owner: &str, name: &str, sealed: &str) -> Result<Secret<String>> {
        let broken = || StoreError::Corrupt(format!("the secret {name} cannot be decrypted"));
        let bytes = unhex(sealed).ok_or_else(broken)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(broken)?;
        let aad = aad(owner, name);
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad });
        let opened = opened.map_err(|_| broken())?;
        Ok(Secret::new(String::from_utf8(opened).map_err(|_| broken())?))
    }
}

/// Ids hold no NUL, so no two pairs have the same bytes.
fn aad(owner: &str, name: &str) -> Vec<u8> {
    [owner.as_bytes(), b"\0", name.as_bytes()].concat()
}

/// Writes a new key under another name and links it: the file is there whole or not at all.
fn make_key(data: &Path, path: &Path) -> std::io::Result<()> {
    let key: [u8; 32] = rand::random();
    let draft = data.join(format!("{KEY_FILE}.{}", Uuid::new_v4().simple()));
    let mut file = File::options().create_new(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(&key)?;
    file.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    fs::remove_file(&draft)?;
    linked?;
    File::open(data)?.sync_all()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_opens_only_in_its_place() {
        let keys = Keys::derive(&Secret::new([7; 32]));
        let sealed = keys.seal("p/production", "TOKEN", &Secret::new("hush".into())).unwrap();
        assert!(!sealed.contains("hush"));
        assert_eq!(keys.unseal("p/production", "TOKEN", &sealed).unwrap().expose(), "hush");
        assert!(keys.unseal("p/preview", "TOKEN", &sealed).is_err());
        assert!(keys.unseal("p/production", "OTHER", &sealed).is_err());
        let other = Keys::derive(&Secret::new([8; 32]));
        assert!(other.unseal("p/production", "TOKEN", &sealed).is_err());
        assert_ne!(keys.id, other.id);
        assert_ne!(sealed, keys.seal("p/production", "TOKEN", &Secret::new("hush".into())).unwrap());
    }

    #[test]
    fn the_key_file_is_private_and_stays() {
        let data = tempfile::tempdir().unwrap();
        let first = Keys::open(data.path()).unwrap();
        let mode = fs::metadata(data.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Keys::open(data.path()).unwrap().id, first.id);
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
        fs::write(data.path().join(KEY_FILE), "short").unwrap();
        assert!(matches!(Keys::open(data.path()), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn hex_goes_both_ways() {
        assert_eq!(hex(&[0, 0xaf, 0xff]), "00afff");
        assert_eq!(unhex("00afff"), Some(vec![0, 0xaf, 0xff]));
        assert!(unhex("0").is_none() && unhex("0g").is_none());
    }
}

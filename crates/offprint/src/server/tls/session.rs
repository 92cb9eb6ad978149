//! What a handshake agreed on, in the words that Workers know from Cloudflare (`request.cf.tlsCipher`).

use offprint_functions::TlsSession;
use rustls::CipherSuite::{
    self, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::server::ServerConnection;

/// All that our provider agrees to. A table, so that a connection holds a pointer.
static SESSIONS: [(CipherSuite, TlsSession); 9] = [
    (TLS13_AES_128_GCM_SHA256, v1_3("AEAD-AES128-GCM-SHA256")),
    (TLS13_AES_256_GCM_SHA384, v1_3("AEAD-AES256-GCM-SHA384")),
    (TLS13_CHACHA20_POLY1305_SHA256, v1_3("AEAD-CHACHA20-POLY1305-SHA256")),
    (TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, v1_2("ECDHE-ECDSA-AES128-GCM-SHA256")),
    (TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, v1_2("ECDHE-ECDSA-AES256-GCM-SHA384")),
    (TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, v1_2("ECDHE-ECDSA-CHACHA20-POLY1305")),
    (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, v1_2("ECDHE-RSA-AES128-GCM-SHA256")),
    (TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, v1_2("ECDHE-RSA-AES256-GCM-SHA384")),
    (TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, v1_2("ECDHE-RSA-CHACHA20-POLY1305")),
];

const fn v1_3(cipher: &'static str) -> TlsSession {
    TlsSession { version: "TLSv1.3", cipher }
}

const fn v1_2(cipher: &'static str) -> TlsSession {
    TlsSession { version: "TLSv1.2", cipher }
}

/// The session of a connection whose handshake is done.
pub(crate) fn session_of(connection: &ServerConnection) -> Option<&'static TlsSession> {
    let suite = connection.negotiated_cipher_suite()?.suite();
    SESSIONS.iter().find(|(known, _)| *known == suite).map(|(_, session)| session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_of_the_provider_has_a_name() {
        let suites = rustls::crypto::aws_lc_rs::default_provider().cipher_suites;
        for suite in &suites {
            let known = SESSIONS.iter().find(|(known, _)| *known == suite.suite());
            let version = known.unwrap_or_else(|| panic!("{suite:?}")).1.version;
            assert_eq!(version == "TLSv1.3", suite.tls13().is_some(), "{suite:?}");
        }
        assert_eq!(suites.len(), SESSIONS.len());
    }
}

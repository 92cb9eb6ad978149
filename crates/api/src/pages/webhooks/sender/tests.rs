use super::*;
use http::{HeaderName, HeaderValue};

const BODY: &[u8] = b"{\"zen\":\"x\"}";

fn secret() -> Secret<String> {
    Secret::new("It's a Secret to Everybody".into())
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(header).collect()
}

fn signature(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret().expose().as_bytes());
    hex(hmac::sign(&key, body).as_ref())
}

fn code(result: Result<Sender>) -> Option<ErrorCode> {
    result.err().map(|error| error.code())
}

/// The example that GitHub's documentation gives to check an implementation with.
#[test]
fn the_published_example_is_genuine() {
    let example = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers = headers(&[("x-github-event", "push"), ("x-hub-signature-256", example)]);
    let sender = Sender::of(&headers, SourceKind::Github).unwrap();
    assert!(sender.is_genuine(&secret(), b"Hello, World!"));
    assert!(!sender.is_genuine(&secret(), b"Hello, World?"));
    assert!(!sender.is_genuine(&Secret::new("another".into()), b"Hello, World!"));
}

#[test]
fn every_forge_is_known_by_its_headers() {
    let (bare, prefixed) = (signature(BODY), format!("sha256={}", signature(BODY)));
    let token = secret().expose().clone();
    use SourceKind::{Forgejo, Git, Gitea, Github, Gitlab};
    for (pairs, kinds, dialect) in [
        (
            &[("x-github-event", "push"), ("x-hub-signature-256", &*prefixed)][..],
            &[Github, Git][..],
            Dialect::Github,
        ),
        (&[("x-gitlab-event", "push"), ("x-gitlab-token", &token)], &[Gitlab, Git], Dialect::Gitlab),
        (
            &[("x-gitea-event", "push"), ("x-gitea-signature", &bare), ("x-github-event", "push")],
            &[Gitea, Forgejo, Git],
            Dialect::Forgejo,
        ),
        (
            &[("x-forgejo-event", "push"), ("x-gitea-event", "push"), ("x-forgejo-signature", &bare)],
            &[Gitea, Forgejo, Git],
            Dialect::Forgejo,
        ),
        (&[("x-forgejo-event", "push"), ("x-hub-signature-256", &prefixed)], &[Forgejo], Dialect::Forgejo),
    ] {
        for kind in kinds {
            let sender = Sender::of(&headers(pairs), *kind).unwrap();
            assert_eq!((sender.dialect, &*sender.event), (dialect, "push"), "{pairs:?}");
            assert!(sender.is_genuine(&secret(), BODY), "{pairs:?}");
        }
    }
}

#[test]
fn another_forge_or_no_proof_is_refused() {
    let (invalid, unsigned) = (Some(ErrorCode::InvalidWebhook), Some(ErrorCode::InvalidSignature));
    let bare = signature(BODY);
    let (sha1, upper) = (format!("sha1={bare}"), format!("SHA256={bare}"));
    for (pairs, kind, expected) in [
        (&[][..], SourceKind::Git, invalid),
        (&[("x-gitlab-event", "Push Hook"), ("x-gitlab-token", "x")], SourceKind::Github, invalid),
        (&[("x-github-event", "push")], SourceKind::Gitea, invalid),
        (&[("x-github-event", "")], SourceKind::Github, invalid),
        (&[("x-github-event", "push")], SourceKind::Github, unsigned),
        (&[("x-github-event", "push"), ("x-hub-signature-256", &sha1)], SourceKind::Github, unsigned),
        (&[("x-github-event", "push"), ("x-hub-signature-256", &upper)], SourceKind::Github, unsigned),
        (&[("x-github-event", "push"), ("x-hub-signature-256", "sha256=00")], SourceKind::Github, unsigned),
        (&[("x-gitea-event", "push"), ("x-gitea-signature", "zz")], SourceKind::Gitea, unsigned),
        (&[("x-gitlab-event", "Push Hook")], SourceKind::Gitlab, unsigned),
    ] {
        assert_eq!(code(Sender::of(&headers(pairs), kind)), expected, "{pairs:?}");
    }
}

#[test]
fn a_wrong_proof_is_not_genuine() {
    let wrong = "0".repeat(64);
    let whole = secret();
    let shorter = &whole.expose()[1..];
    for pairs in [
        [("x-gitea-event", "push"), ("x-gitea-signature", &*wrong)],
        [("x-gitlab-event", "push"), ("x-gitlab-token", shorter)],
        [("x-gitlab-event", "push"), ("x-gitlab-token", "")],
    ] {
        let sender = Sender::of(&headers(&pairs), SourceKind::Git).unwrap();
        assert!(!sender.is_genuine(&secret(), BODY), "{pairs:?}");
    }
}

#[test]
fn a_call_is_known_again_by_what_cannot_be_changed() {
    let bare = signature(BODY);
    let delivery = |pairs: &[(&'static str, &str)], body: &[u8]| {
        Sender::of(&headers(pairs), SourceKind::Git).unwrap().delivery(body)
    };
    let signed = |id| [("x-gitea-event", "push"), ("x-gitea-signature", &*bare), ("x-gitea-delivery", id)];
    let first = delivery(&signed("1"), BODY);
    assert_eq!(first.id, "1");
    assert_eq!(first.digest, delivery(&signed("2"), BODY).digest, "the id is not signed");
    assert_ne!(first.digest, delivery(&signed("1"), b"{}").digest);
    let shown = |id| [("x-gitlab-event", "push"), ("x-gitlab-token", "x"), ("idempotency-key", id)];
    let gitlab = delivery(&shown("1"), BODY);
    assert_eq!(gitlab, delivery(&shown("1"), BODY));
    let again = delivery(&shown("2"), BODY);
    assert!(gitlab.id != again.id && gitlab.digest != again.digest, "the same commits pushed once more");
    let nameless = delivery(&[("x-gitlab-event", "push"), ("x-gitlab-token", "x")], BODY);
    assert_eq!(nameless.id.len(), 64);
}

use super::*;
use Choice::{Coded, Identity, NotAcceptable};
use Encoding::{Brotli, Gzip, Zstd};

fn set(codings: &[Encoding]) -> EncodingSet {
    codings.iter().fold(EncodingSet::EMPTY, |set, coding| set.with(*coding))
}

fn all(header: &str) -> Choice {
    choose(Some(header.as_bytes()), EncodingSet::ALL)
}

#[test]
fn the_highest_quality_wins_and_of_equals_our_favorite() {
    for (header, choice) in [
        ("gzip, deflate, br, zstd", Coded(Brotli)),
        ("gzip, deflate, zstd", Coded(Zstd)),
        ("gzip", Coded(Gzip)),
        ("x-gzip", Coded(Gzip)),
        ("GZip;Q=1", Coded(Gzip)),
        ("br;q=0.5, gzip;q=0.8", Coded(Gzip)),
        ("br;q=0.5,gzip;q=0.50", Coded(Brotli)),
        ("br;q=0.499, gzip;q=0.5", Coded(Gzip)),
        ("br;q=0.001", Coded(Brotli)),
        ("br;q=1.000, zstd;q=0.999", Coded(Brotli)),
        (" br\t;\tq=0.2 , gzip ; q=0.1 ", Coded(Brotli)),
        ("br;q=0.", Identity),
        ("br;q=1.", Coded(Brotli)),
        ("br;q=1, br;q=0.1, gzip;q=0.2", Coded(Gzip)),
        (",,br,,", Coded(Brotli)),
    ] {
        assert_eq!(all(header), choice, "{header}");
    }
}

#[test]
fn only_available_codings_are_chosen() {
    let header = Some(&b"br, gzip;q=0.5, zstd;q=0.1"[..]);
    assert_eq!(choose(header, set(&[Gzip, Zstd])), Coded(Gzip));
    assert_eq!(choose(header, set(&[Zstd])), Coded(Zstd));
    assert_eq!(choose(header, EncodingSet::EMPTY), Identity);
}

#[test]
fn identity_comes_last_unless_it_is_named_with_more() {
    for (header, choice) in [
        ("", Identity),
        ("deflate", Identity),
        ("compress, deflate;q=0", Identity),
        ("gzip;q=0.1", Coded(Gzip)),
        ("identity", Identity),
        ("identity, gzip", Coded(Gzip)),
        ("identity;q=0.5, gzip;q=0.4", Identity),
        ("identity;q=0.5, gzip;q=0.5", Coded(Gzip)),
        ("IDENTITY;q=0.5, gzip;q=0.4", Identity),
        ("identity;q=0", NotAcceptable),
        ("identity;q=0, deflate", NotAcceptable),
        ("identity;q=0, gzip", Coded(Gzip)),
        ("gzip;q=0", Identity),
        ("gzip;q=0, identity;q=0.1", Identity),
    ] {
        assert_eq!(all(header), choice, "{header}");
    }
    assert_eq!(choose(None, EncodingSet::ALL), Identity);
}

#[test]
fn a_star_stands_for_what_is_not_named() {
    for (header, choice) in [
        ("*", Coded(Brotli)),
        ("*;q=0.1", Coded(Brotli)),
        ("br;q=0, *", Coded(Zstd)),
        ("gzip;q=0.5, *", Coded(Brotli)),
        ("gzip, *;q=0", Coded(Gzip)),
        ("*;q=0", NotAcceptable),
        ("*;q=0, identity", Identity),
        ("*;q=0, identity;q=0.001", Identity),
        ("*;q=0.5, identity", Identity),
        ("*, identity;q=0", Coded(Brotli)),
        ("*;q=0, deflate", NotAcceptable),
    ] {
        assert_eq!(all(header), choice, "{header}");
    }
    assert_eq!(choose(Some(b"gzip;q=0.5, *"), set(&[Gzip])), Coded(Gzip));
    assert_eq!(choose(Some(b"*"), EncodingSet::EMPTY), Identity);
}

#[test]
fn a_malformed_entry_says_nothing() {
    for entry in [
        "br;q=",
        "br;q=x",
        "br;q=-1",
        "br;q=2",
        "br;q=1.1",
        "br;q=1.001",
        "br;q=0.1234",
        "br;q=.5",
        "br;q=0,5",
        "br;q =1",
        "br;q= 1",
        "br;level=3",
        "br;q=1;x",
        "br;",
        "b r",
        "br q=1",
        ";q=1",
        "\u{e9}",
    ] {
        assert_eq!(all(&format!("{entry}, gzip;q=0.3")), Coded(Gzip), "{entry}");
    }
    assert_eq!(all("identity;q=nothing"), Identity);
    assert_eq!(choose(Some(b"\xFF;q=\xFF, gzip"), EncodingSet::ALL), Coded(Gzip));
}

#[test]
fn lines_count_together() {
    let lines = |lines: &[&'static str]| choose_lines(lines.iter().map(|l| l.as_bytes()), EncodingSet::ALL);
    assert_eq!(lines(&["gzip;q=0.5", "br;q=0.6"]), Coded(Brotli));
    assert_eq!(lines(&["br", "br;q=0, gzip"]), Coded(Gzip));
    assert_eq!(lines(&["*;q=0", "identity"]), Identity);
    assert_eq!(lines(&[]), Identity);
}

#[test]
fn identity_is_acceptable_unless_it_is_ruled_out() {
    for (lines, acceptable) in [
        (&["gzip, br"][..], true),
        (&["gzip;q=0"], true),
        (&["identity;q=0"], false),
        (&["gzip, identity; q=0"], false),
        (&["gzip, identity ;\tq =0.0"], false),
        (&["*;q=0"], false),
        (&["*;q=0, identity"], true),
        (&["*;q=0", "identity;q=1"], true),
        (&["gzip", "identity;q=0"], false),
        (&["identity;q=0.5, *;q=0"], true),
        (&["Identity;q=0"], true),
        (&["identity;Q=0"], true),
        (&["identity;q=x"], true),
        (&["identity;q="], true),
        (&["identity;q=0;q=1"], false),
        (&["identity;q=0, \u{e9}"], true),
        (&[""], true),
        (&[], true),
    ] {
        assert_eq!(accepts_identity_naively(lines.iter().map(|l| l.as_bytes())), acceptable, "{lines:?}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_chosen_is_available_and_named(
        header in "((br|gzip|zstd|identity|\\*|x)(;q=(0|1|0\\.[0-9]{0,3}))?[, ]{0,2}){0,5}",
        gzip: bool,
        brotli: bool,
    ) {
        let mut available = EncodingSet::EMPTY;
        if gzip { available = available.with(Gzip); }
        if brotli { available = available.with(Brotli); }
        match choose(Some(header.as_bytes()), available) {
            Coded(coding) => {
                proptest::prop_assert!(available.has(coding));
                proptest::prop_assert!(header.contains(coding.token()) || header.contains('*'));
            }
            NotAcceptable => proptest::prop_assert!(header.contains("q=0")),
            Identity => {}
        }
    }
}

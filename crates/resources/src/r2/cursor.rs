//! Places in lists, for clients, who know nothing of what a cursor holds.

use base64_simd::URL_SAFE_NO_PAD;
use offprint_store::ObjectPosition;

/// The cursor of a place.
pub fn cursor_of(position: &ObjectPosition) -> String {
    URL_SAFE_NO_PAD.encode_to_string(match position {
        ObjectPosition::Key(key) => format!("k{key}"),
        ObjectPosition::Prefix(prefix) => format!("p{prefix}"),
    })
}

/// The place that a cursor stands for. `None`: it is none of ours.
pub fn position_of(cursor: &str) -> Option<ObjectPosition> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode_to_vec(cursor).ok()?).ok()?;
    match text.split_at_checked(1)? {
        ("k", key) => Some(ObjectPosition::Key(key.to_owned())),
        ("p", prefix) => Some(ObjectPosition::Prefix(prefix.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_position() {
        for position in [ObjectPosition::Key("a/ü".into()), ObjectPosition::Prefix("k/".into())] {
            assert_eq!(position_of(&cursor_of(&position)), Some(position));
        }
        for bad in ["", "!", "eA", "_w"] {
            assert_eq!(position_of(bad), None, "{bad}");
        }
    }
}

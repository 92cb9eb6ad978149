//! The ids that the Deploys API shows: a prefix, an underscore, and a UUID of version 7 in 26 digits of base 32.
//!
//! The digits are in the order of their values, and the time comes first: so ids sort as they were made, to the
//! millisecond. Letters that are mistaken for digits are left out (Crockford's alphabet).

use offprint_model::listing::Entity;
use offprint_model::time::Timestamp;
use uuid::Builder;

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: u32 = 26;

/// A new id of an entity that is made now.
pub(crate) fn new_id(entity: Entity, now: Timestamp) -> String {
    let millis = u64::try_from(now.as_micros() / 1000).unwrap_or_default();
    let uuid = Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid().as_u128();
    let digit = |n: u32| char::from(DIGITS[(uuid >> (5 * (LENGTH - 1 - n)) & 31) as usize]);
    let digits: String = (0..LENGTH).map(digit).collect();
    format!("{}_{digits}", entity.prefix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_their_time_and_never_repeat() {
        let at = |millis: i64| Timestamp::from_micros(millis * 1000);
        let mut ids = Vec::new();
        for millis in [0, 1, 31, 32, 1_795_381_830_875, 1_795_381_830_876, (1 << 48) - 1] {
            ids.push(new_id(Entity::Deploy, at(millis)));
        }
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == "dep_".len() + 26 && id.starts_with("dep_")));
        // What the first migration made of the same time.
        assert!(ids[4].starts_with("dep_01m82hh96v"), "{}", ids[4]);
        assert_ne!(new_id(Entity::App, at(5)), new_id(Entity::App, at(5)));
    }
}

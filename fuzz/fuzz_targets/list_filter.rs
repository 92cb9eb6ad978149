//! Filters and orders of the lists of the Deploys API. The first line is a letter for the entity and an order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint_fuzz::split_line;
use offprint_model::listing::{
    ALL_VALUES_MAX, DEPTH_MAX, Entity, Filter, KEYS_MAX, NODES_MAX, PATTERN_CHARS_MAX, Test, VALUES_MAX,
};
use offprint_wire::deploys::{filter, order};

fuzz_target!(|input: &[u8]| {
    let (first, rest) = split_line(input);
    let (Ok(by), Ok(text)) = (std::str::from_utf8(first.get(1..).unwrap_or_default()), std::str::from_utf8(rest))
    else {
        return;
    };
    let entity = Entity::ALL[first.first().map_or(0, |letter| usize::from(*letter)) % Entity::ALL.len()];
    match order::parse(by, entity) {
        Ok(order) => {
            let keys = order.keys();
            assert!(keys.len() <= KEYS_MAX + 1, "what makes it total comes on top");
            assert_eq!(keys.iter().filter(|key| key.field.name == "id").count(), 1);
        }
        Err(error) => assert!(error.path.starts_with("orderBy")),
    }
    match filter::parse(text, entity) {
        Ok(filter) => {
            let mut sums = Sums::default();
            sums.add(&filter, 1);
            assert!(sums.tests <= NODES_MAX && sums.values <= ALL_VALUES_MAX);
        }
        Err(error) => assert!(error.path.starts_with("filter")),
    }
});

#[derive(Default)]
struct Sums {
    tests: usize,
    values: usize,
}

impl Sums {
    fn add(&mut self, filter: &Filter, depth: usize) {
        // A level of the text is up to three of the tree: members, quantifiers, what is related.
        assert!(depth <= 3 * (DEPTH_MAX + 1));
        match filter {
            Filter::All(all) | Filter::Any(all) => all.iter().for_each(|one| self.add(one, depth + 1)),
            Filter::Not(inner) | Filter::Related(_, _, inner) => self.add(inner, depth + 1),
            Filter::Field(field, test) => {
                assert!(field.queried);
                self.tests += 1;
                match test {
                    Test::In(values) | Test::NotIn(values) => {
                        assert!(values.len() <= VALUES_MAX);
                        self.values += values.len();
                    }
                    Test::Like(pattern) | Test::NotLike(pattern) => {
                        assert!(pattern.text.chars().count() <= PATTERN_CHARS_MAX);
                    }
                    _ => {}
                }
            }
        }
    }
}

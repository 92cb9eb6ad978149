//! Questions at random, the same for the same number.

use offprint_model::listing::{
    Direction, Entity, Field, Filter, Kind, LikePattern, Order, OrderKey, Quantifier, Test, Value,
};
use offprint_model::time::Timestamp;

use super::data::{Data, TEXTS, TIMES};

/// A small generator (splitmix64): what is drawn depends on nothing but the seed.
#[derive(Clone)]
pub(super) struct Random(u64);

const PATTERNS: [&str; 9] = ["%", "d%", "%full", "%FULL%", "10\\%", "a\\_b", "a_b", "%*%", "gr__er"];

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) const fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    pub(super) fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn field(&mut self, entity: Entity) -> &'static Field {
        let fields: Vec<&Field> = entity.fields().iter().filter(|field| field.queried).collect();
        self.of(&fields)
    }

    pub(super) fn order(&mut self, entity: Entity) -> Order {
        let mut keys = Vec::new();
        for _ in 0..self.below(4) {
            let (field, direction) = (self.field(entity), self.of(&Direction::NAMED).1);
            keys.push(OrderKey { field, direction });
        }
        Order::new(entity, keys)
    }

    pub(super) fn filter(&mut self, data: &Data, entity: Entity, depth: usize) -> Filter {
        let kinds = if depth == 0 { 1 } else { 6 };
        match self.below(kinds) {
            1 => Filter::All(self.filters(data, entity, depth)),
            2 => Filter::Any(self.filters(data, entity, depth)),
            3 => Filter::Not(Box::new(self.filter(data, entity, depth - 1))),
            4 if depth == 3 => Filter::everything(),
            4 | 5 => self.related(data, entity, depth),
            _ => {
                let field = self.field(entity);
                Filter::Field(field, self.test(data, entity, field))
            }
        }
    }

    fn filters(&mut self, data: &Data, entity: Entity, depth: usize) -> Vec<Filter> {
        (0..self.below(4)).map(|_| self.filter(data, entity, depth - 1)).collect()
    }

    fn related(&mut self, data: &Data, entity: Entity, depth: usize) -> Filter {
        // There are no versions and no steps of builds in the data.
        let known = |to: &Entity| !matches!(to, Entity::AppVersion | Entity::BuildStep);
        let relations: Vec<_> = entity.relations().iter().filter(|relation| known(&relation.to)).collect();
        if relations.is_empty() {
            return Filter::everything();
        }
        let relation = self.of(&relations);
        let quantifier = match relation.many {
            true => self.of(&[Quantifier::Some, Quantifier::None, Quantifier::Every]),
            false => Quantifier::Some,
        };
        Filter::Related(relation, quantifier, Box::new(self.filter(data, relation.to, depth - 1)))
    }

    fn test(&mut self, data: &Data, entity: Entity, field: &Field) -> Test {
        let operator = self.of(field.kind.operators());
        let one = |random: &mut Self| random.value(data, entity, field);
        match operator {
            "eq" => Test::Eq(one(self)),
            "ne" => Test::Ne(one(self)),
            "gt" => Test::Gt(one(self)),
            "gte" => Test::Gte(one(self)),
            "lt" => Test::Lt(one(self)),
            "lte" => Test::Lte(one(self)),
            "in" => Test::In((0..self.below(4)).map(|_| one(self)).collect()),
            "notIn" => Test::NotIn((0..self.below(4)).map(|_| one(self)).collect()),
            "like" | "ilike" => Test::Like(self.pattern(operator == "ilike")),
            "notLike" | "notIlike" => Test::NotLike(self.pattern(operator == "notIlike")),
            "isNull" => Test::IsNull,
            _ => Test::IsNotNull,
        }
    }

    fn pattern(&mut self, ignores_case: bool) -> LikePattern {
        LikePattern { text: self.of(&PATTERNS).to_owned(), ignores_case }
    }

    /// A value of the field, often one that a row has.
    fn value(&mut self, data: &Data, entity: Entity, field: &Field) -> Value {
        let rows = data.of(entity);
        if !rows.is_empty()
            && self.below(3) > 0
            && let Some(value) = self.of(rows).values[field.name].clone()
        {
            return value;
        }
        match field.kind {
            Kind::Id | Kind::Text | Kind::Json => Value::Text(self.of(&TEXTS).to_owned()),
            Kind::Word(words) => Value::Text(self.of(words).to_owned()),
            Kind::Number => Value::Number(self.below(50) as i64),
            Kind::Time => Value::Time(Timestamp::from_micros(self.of(&TIMES))),
            Kind::Flag => Value::Flag(self.below(2) == 0),
        }
    }
}

//! Filters as JSON: `{"status": "failed", "build": {"trigger": {"ne": "auto"}}, "OR": [...]}`.

use offprint_model::listing::{
    ALL_VALUES_MAX, DEPTH_MAX, Entity, Field, Filter, Kind, LikePattern, NODES_MAX, PATTERN_CHARS_MAX,
    Quantifier, Relation, Test, VALUES_MAX, Value,
};
use serde_json::Value as Json;

use crate::json::{InvalidMember, Node, Read};
use crate::time::Time;

/// Characters of a text that is compared with.
pub const TEXT_CHARS_MAX: usize = 1000;

/// Reads a filter on an entity.
///
/// # Errors
/// The path of what is wrong, below `filter`.
pub fn parse(text: &str, entity: Entity) -> Read<Filter> {
    let json: Json = serde_json::from_str(text)
        .map_err(|error| InvalidMember::new("filter", format!("is not valid JSON: {error}")))?;
    Reader { nodes: 0, values: 0 }.filter(&Node::named(&json, "filter"), entity, 1)
}

/// Reads a value of a field, as it stands in a query parameter.
///
/// # Errors
/// It is not of the field's kind; the path is `name`.
pub fn parse_value(name: &str, text: &str, field: &Field) -> Read<Value> {
    let json = match (field.kind, text) {
        (Kind::Flag, "true") => Json::Bool(true),
        (Kind::Flag, "false") => Json::Bool(false),
        (Kind::Number, text) => text.parse::<i64>().map_or_else(|_| Json::String(text.into()), Json::from),
        (_, text) => Json::String(text.into()),
    };
    value(&Node::named(&json, name), field)
}

/// Counts what it has read, so that no filter is too much for the database.
struct Reader {
    nodes: usize,
    values: usize,
}

impl Reader {
    fn count(&mut self, node: &Node<'_>) -> Read<()> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(
                node.refuse(format!("is more than the {NODES_MAX} conditions that a filter may have"))
            );
        }
        Ok(())
    }

    fn count_values(&mut self, node: &Node<'_>, test: &Test) -> Read<()> {
        if let Test::In(values) | Test::NotIn(values) = test {
            self.values += values.len();
        }
        if self.values > ALL_VALUES_MAX {
            let rule = format!("brings more than the {ALL_VALUES_MAX} values that a filter may have in all");
            return Err(node.refuse(rule));
        }
        Ok(())
    }

    fn filter(&mut self, node: &Node<'_>, entity: Entity, depth: usize) -> Read<Filter> {
        if depth > DEPTH_MAX {
            return Err(node.refuse(format!("is nested deeper than {DEPTH_MAX} levels")));
        }
        let mut all = Vec::new();
        for (name, member) in node.object()?.entries() {
            self.count(&member)?;
            all.push(self.member(name, &member, entity, depth)?);
        }
        Ok(match all.len() {
            1 => all.remove(0),
            _ => Filter::All(all),
        })
    }

    fn member(&mut self, name: &str, member: &Node<'_>, entity: Entity, depth: usize) -> Read<Filter> {
        match name {
            "AND" => Ok(Filter::All(self.filters(member, entity, depth)?)),
            "OR" => Ok(Filter::Any(self.filters(member, entity, depth)?)),
            "NOT" => Ok(Filter::Not(Box::new(self.filter(member, entity, depth + 1)?))),
            _ => match (entity.field(name), entity.relation(name)) {
                (Some(field), _) if field.queried => self.field(member, field),
                (Some(_), _) => Err(member.refuse("cannot be filtered by")),
                (None, Some(relation)) => self.related(member, relation, depth),
                (None, None) => {
                    Err(member.refuse(format!("is neither a field nor a relation of {}", entity.name())))
                }
            },
        }
    }

    fn filters(&mut self, node: &Node<'_>, entity: Entity, depth: usize) -> Read<Vec<Filter>> {
        let mut filters = Vec::new();
        for element in node.elements()? {
            self.count(&element)?;
            filters.push(self.filter(&element, entity, depth + 1)?);
        }
        Ok(filters)
    }

    fn related(&mut self, node: &Node<'_>, relation: &'static Relation, depth: usize) -> Read<Filter> {
        if !relation.many {
            let inner = self.filter(node, relation.to, depth + 1)?;
            return Ok(Filter::Related(relation, Quantifier::Some, Box::new(inner)));
        }
        let mut all = Vec::new();
        for (name, member) in node.object()?.entries() {
            let quantifier = match name {
                "some" => Quantifier::Some,
                "none" => Quantifier::None,
                "every" => Quantifier::Every,
                _ => return Err(member.refuse("must be one of some, none, every")),
            };
            self.count(&member)?;
            let inner = self.filter(&member, relation.to, depth + 1)?;
            all.push(Filter::Related(relation, quantifier, Box::new(inner)));
        }
        if all.is_empty() {
            return Err(node.refuse("needs one of some, none, every"));
        }
        Ok(Filter::All(all))
    }

    fn field(&mut self, node: &Node<'_>, field: &'static Field) -> Read<Filter> {
        let Json::Object(_) = node.value() else {
            let test = if node.is_null() { Test::IsNull } else { Test::Eq(value(node, field)?) };
            return Ok(Filter::Field(field, test));
        };
        let mut all = Vec::new();
        for (operator, operand) in node.object()?.entries() {
            self.count(&operand)?;
            let test = test(operator, &operand, field)?;
            self.count_values(&operand, &test)?;
            all.push(Filter::Field(field, test));
        }
        if all.is_empty() {
            return Err(node.refuse(format!("needs one of {}", field.kind.operators().join(", "))));
        }
        Ok(Filter::All(all))
    }
}

fn test(operator: &str, operand: &Node<'_>, field: &Field) -> Read<Test> {
    if !field.kind.operators().contains(&operator) {
        let known = field.kind.operators().join(", ");
        return Err(operand.refuse(format!("is no operator for {}; it takes {known}", field.name)));
    }
    let one = || value(operand, field);
    Ok(match operator {
        "eq" if operand.is_null() => Test::IsNull,
        "ne" if operand.is_null() => Test::IsNotNull,
        "eq" => Test::Eq(one()?),
        "ne" => Test::Ne(one()?),
        "gt" => Test::Gt(one()?),
        "gte" => Test::Gte(one()?),
        "lt" => Test::Lt(one()?),
        "lte" => Test::Lte(one()?),
        "in" => Test::In(values(operand, field)?),
        "notIn" => Test::NotIn(values(operand, field)?),
        "like" => Test::Like(pattern(operand, false)?),
        "ilike" => Test::Like(pattern(operand, true)?),
        "notLike" => Test::NotLike(pattern(operand, false)?),
        "notIlike" => Test::NotLike(pattern(operand, true)?),
        // `{"isNull": false}` says the opposite.
        "isNull" if operand.boolean()? => Test::IsNull,
        "isNotNull" if !operand.boolean()? => Test::IsNull,
        _ => Test::IsNotNull,
    })
}

fn values(node: &Node<'_>, field: &Field) -> Read<Vec<Value>> {
    let elements = node.elements()?;
    if elements.len() > VALUES_MAX {
        return Err(node.refuse(format!("has more than {VALUES_MAX} values")));
    }
    elements.map(|element| value(&element, field)).collect()
}

fn value(node: &Node<'_>, field: &Field) -> Read<Value> {
    match field.kind {
        Kind::Id | Kind::Text => text(node, TEXT_CHARS_MAX).map(Value::Text),
        Kind::Word(words) => {
            let word = node.str()?;
            if !words.contains(&word) {
                return Err(node.refuse(format!("must be one of {}", words.join(", "))));
            }
            Ok(Value::Text(word.to_owned()))
        }
        Kind::Number => {
            let number = node.value().as_i64();
            number.map(Value::Number).ok_or_else(|| node.refuse("must be a whole number"))
        }
        Kind::Time => {
            let time = node.value().as_str().and_then(Time::parse);
            time.map(|time| Value::Time(time.0)).ok_or_else(|| node.refuse("must be an RFC 3339 time"))
        }
        Kind::Flag => node.boolean().map(Value::Flag),
        Kind::Json => Err(node.refuse("cannot be filtered by")),
    }
}

fn pattern(node: &Node<'_>, ignores_case: bool) -> Read<LikePattern> {
    let text = text(node, PATTERN_CHARS_MAX)?;
    let escapes = text.chars().rev().take_while(|character| *character == '\\').count();
    if escapes % 2 == 1 {
        return Err(node.refuse("ends with a backslash that takes nothing"));
    }
    Ok(LikePattern { text, ignores_case })
}

fn text(node: &Node<'_>, chars_max: usize) -> Read<String> {
    let text = node.text()?;
    if text.chars().count() > chars_max {
        return Err(node.refuse(format!("has more than {chars_max} characters")));
    }
    if text.contains('\0') {
        return Err(node.refuse("has a NUL"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(filter: &Json) -> String {
        parse(&filter.to_string(), Entity::Deploy).unwrap_err().to_string()
    }

    #[test]
    fn a_filter_becomes_a_tree() {
        let status = |test| Filter::Field(Entity::Deploy.field("status").unwrap(), test);
        let text = |text: &str| Value::Text(text.into());
        let parse = |filter: Json| parse(&filter.to_string(), Entity::Deploy).unwrap();
        assert_eq!(parse(json!({})), Filter::everything());
        assert_eq!(parse(json!({ "status": "failed" })), status(Test::Eq(text("failed"))));
        assert_eq!(parse(json!({ "status": null })), status(Test::IsNull));
        let steps = Entity::Deploy.relation("steps").unwrap();
        assert_eq!(
            parse(json!({ "OR": [{ "status": { "in": [] } }], "steps": { "none": {} } })),
            Filter::All(vec![
                Filter::Any(vec![Filter::All(vec![status(Test::In(vec![]))])]),
                Filter::All(vec![Filter::Related(steps, Quantifier::None, Box::new(Filter::everything()))]),
            ])
        );
    }

    #[test]
    fn refusals_name_the_path() {
        for (filter, refused) in [
            (json!([]), "filter must be an object"),
            (json!({ "colour": 1 }), "filter.colour is neither a field nor a relation of Deploy"),
            (json!({ "AND": [{ "status": 1 }] }), "filter.AND[0].status must be a string"),
            (json!({ "AND": {} }), "filter.AND must be an array"),
            (json!({ "status": { "like": "x" } }), "filter.status.like is no operator for status"),
            (json!({ "status": {} }), "filter.status needs one of eq"),
            (json!({ "status": "done" }), "filter.status must be one of pending, running"),
            (json!({ "metadata": "x" }), "filter.metadata cannot be filtered by"),
            (
                json!({ "build": { "deploys": { "any": {} } } }),
                "filter.build.deploys.any must be one of some",
            ),
            (json!({ "createdAt": { "gt": "yesterday" } }), "filter.createdAt.gt must be an RFC 3339 time"),
            (json!({ "sequenceNumber": 1.5 }), "filter.sequenceNumber must be a whole number"),
            (json!({ "error": { "like": "x\\" } }), "filter.error.like ends with a backslash"),
            (
                json!({ "error": { "like": "x".repeat(201) } }),
                "filter.error.like has more than 200 characters",
            ),
            (json!({ "id": { "in": vec!["x"; 501] } }), "filter.id.in has more than 500 values"),
            (json!({ "AND": vec![json!({}); 200] }), "filter.AND[99] is more than the 100 conditions"),
            (json!({ "error": { "eq": "\0" } }), "filter.error.eq has a NUL"),
            (
                json!({ "OR": vec![json!({ "id": { "in": vec!["x"; 500] } }); 11] }),
                "filter.OR[10].id.in brings more than the 5000 values",
            ),
        ] {
            let text = refusal(&filter);
            assert!(text.starts_with(refused), "{text:?} and not {refused:?}");
        }
        let deep = (0..8).fold(json!({ "status": "failed" }), |inner, _| json!({ "NOT": inner }));
        let path = format!("filter{} is nested deeper than 8 levels", ".NOT".repeat(8));
        assert_eq!(refusal(&deep), path);
        assert!(parse(&deep["NOT"].to_string(), Entity::Deploy).is_ok());
        assert!(parse("{", Entity::Deploy).unwrap_err().to_string().starts_with("filter is not valid JSON"));
    }
}

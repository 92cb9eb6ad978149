//! Orders as JSON: `[{"status": "asc"}, {"createdAt": "desc_nulls_last"}]`.

use offprint_model::listing::{Direction, Entity, KEYS_MAX, Order, OrderKey};

use crate::json::{InvalidMember, Node, Read};

/// Reads an order of an entity.
///
/// # Errors
/// The path of what is wrong, below `orderBy`.
pub fn parse(text: &str, entity: Entity) -> Read<Order> {
    let json: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| InvalidMember::new("orderBy", format!("is not valid JSON: {error}")))?;
    let node = Node::named(&json, "orderBy");
    let elements = node.elements()?;
    if elements.len() > KEYS_MAX {
        return Err(node.refuse(format!("has more than {KEYS_MAX} keys")));
    }
    let keys = elements.map(|element| key(&element, entity)).collect::<Read<Vec<_>>>()?;
    if keys.is_empty() {
        return Ok(Order::newest_first(entity));
    }
    Ok(Order::new(entity, keys))
}

fn key(node: &Node<'_>, entity: Entity) -> Read<OrderKey> {
    let object = node.object()?;
    let mut entries = object.entries();
    let (Some((name, direction)), None) = (entries.next(), entries.next()) else {
        return Err(node.refuse("must have one field and its direction"));
    };
    let field = entity.field(name).filter(|field| field.queried);
    let field =
        field.ok_or_else(|| direction.refuse(format!("is no field of {} to order by", entity.name())))?;
    let known = || Direction::NAMED.map(|(name, _)| name).join(", ");
    let parsed = Direction::parse(direction.str()?);
    let direction = parsed.ok_or_else(|| direction.refuse(format!("must be one of {}", known())))?;
    Ok(OrderKey { field, direction })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_and_refusals_name_the_path() {
        let order = parse(r#"[{"status":"asc"},{"startedAt":"DescNullsLast"}]"#, Entity::Deploy).unwrap();
        let names: Vec<_> = order.keys().iter().map(|key| key.field.name).collect();
        assert_eq!(names, ["status", "startedAt", "id"]);
        assert_eq!(parse("[]", Entity::Deploy), Ok(Order::newest_first(Entity::Deploy)));
        for (text, refused) in [
            ("{}", "orderBy must be an array"),
            ("[", "orderBy is not valid JSON"),
            (r#"[{"status":"up"}]"#, "orderBy[0].status must be one of asc, desc"),
            (r#"[{"colour":"asc"}]"#, "orderBy[0].colour is no field of Deploy to order by"),
            (r#"[{"metadata":"asc"}]"#, "orderBy[0].metadata is no field of Deploy to order by"),
            (r#"[{}]"#, "orderBy[0] must have one field"),
            (r#"[{"id":"asc","status":"asc"}]"#, "orderBy[0] must have one field"),
            (r#"[{"id":1}]"#, "orderBy[0].id must be a string"),
            (
                r#"[{"id":"asc"},{"id":"asc"},{"id":"asc"},{"id":"asc"},{"id":"asc"},{"id":"asc"}]"#,
                "orderBy has more than 5 keys",
            ),
        ] {
            let refusal = parse(text, Entity::Deploy).unwrap_err().to_string();
            assert!(refusal.starts_with(refused), "{refusal:?} and not {refused:?}");
        }
    }
}

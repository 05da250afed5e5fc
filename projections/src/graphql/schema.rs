//! The schema as it stands in `docs/schema.graphql`, with a resolver for each field. Nothing of where values come from.

use async_graphql::dynamic::{Field, InputValue, Object, Scalar, Schema, SchemaError, TypeRef};
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition};

use super::resolve::resolver;

/// The text of the schema.
pub(super) const SDL: &str = include_str!("../../../docs/schema.graphql");
const QUERY: &str = "Query";

/// Why the text is not a schema.
#[derive(Debug, thiserror::Error)]
#[error("docs/schema.graphql is not a schema: {0}")]
pub(super) struct NotASchema(String);

/// The schema.
pub(super) fn schema() -> Result<Schema, NotASchema> {
    let document = parse_schema(SDL).map_err(|error| NotASchema(error.to_string()))?;
    let mut schema = Schema::build(QUERY, None, None);
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            return Err(NotASchema("there is more than types in it".to_owned()));
        };
        schema = match &definition.node.kind {
            TypeKind::Scalar => schema.register(described(&definition.node, Scalar::new, Scalar::description)),
            TypeKind::Object(object) => {
                let name = definition.node.name.node.as_str();
                let fields = object.fields.iter().map(|each| field(name, &each.node));
                let object = described(&definition.node, Object::new, Object::description);
                schema.register(fields.fold(object, Object::field))
            }
            _ => return Err(NotASchema(format!("{} is neither an object nor a scalar", definition.node.name))),
        };
    }
    schema.finish().map_err(|SchemaError(error)| NotASchema(error))
}

fn described<T>(definition: &TypeDefinition, new: fn(String) -> T, describe: fn(T, String) -> T) -> T {
    let new = new(definition.name.to_string());
    match &definition.description {
        Some(description) => describe(new, description.to_string()),
        None => new,
    }
}

fn field(object: &str, definition: &FieldDefinition) -> Field {
    let ty = reference(&definition.ty.node);
    let resolver = resolver(object, definition.name.node.as_str(), &ty);
    let field = Field::new(definition.name.to_string(), ty, resolver);
    let field = definition.arguments.iter().fold(field, |field, argument| {
        field.argument(InputValue::new(argument.node.name.to_string(), reference(&argument.node.ty.node)))
    });
    match &definition.description {
        Some(description) => field.description(description.to_string()),
        None => field,
    }
}

fn reference(ty: &Type) -> TypeRef {
    let base = match &ty.base {
        BaseType::Named(name) => TypeRef::named(name.to_string()),
        BaseType::List(item) => TypeRef::List(Box::new(reference(item))),
    };
    if ty.nullable { base } else { TypeRef::NonNull(Box::new(base)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_served_is_what_stands_in_the_file() {
        let served = schema().unwrap().sdl();
        // The library writes types by name and its own directives around them; the same definitions are in both.
        let definitions = |text: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('"'));
            let mut lines: Vec<_> = lines.map(str::to_owned).collect();
            lines.retain(|line| {
                !line.starts_with("directive @") && !line.starts_with("schema") && !line.starts_with("query:")
            });
            lines.sort();
            lines
        };
        let (served, written) = (definitions(&served), definitions(SDL));
        let missing: Vec<_> = written.iter().filter(|line| !served.contains(line)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

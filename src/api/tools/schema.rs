//! JSON Schemas of parameters and results, in the plain dialect that every client takes: no
//! references, no combinators, no null unions.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The parameters' schema, with their descriptions.
pub(super) fn input<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = generate::<T>(settings);
    schema.remove("description");
    bound_texts(&mut schema);
    schema
}

/// The result's schema, without prose.
pub(super) fn output<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = Value::Object(generate::<T>(settings));
    strip_prose(&mut schema);
    object(schema)
}

/// The schema of a result that is one of several kinds: what each may have, and what all have.
pub(super) fn either(kinds: &[Map<String, Value>]) -> Map<String, Value> {
    let mut all = Map::new();
    for kind in kinds {
        for (name, value) in kind {
            match (all.get_mut(name), value) {
                (Some(Value::Object(known)), Value::Object(more)) => {
                    for (property, schema) in more {
                        known.entry(property).or_insert_with(|| schema.clone());
                    }
                }
                (Some(Value::Array(known)), Value::Array(more)) => {
                    known.retain(|one| more.contains(one));
                }
                (Some(_), _) => {}
                (None, value) => drop(all.insert(name.clone(), value.clone())),
            }
        }
    }
    all
}

fn generate<T: JsonSchema>(mut settings: SchemaSettings) -> Map<String, Value> {
    settings.meta_schema = None;
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    plain(&mut schema);
    let mut schema = object(schema);
    schema.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    schema
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Lengths that are checked are shown where an agent chooses the text.
fn bound_texts(schema: &mut Map<String, Value>) {
    if let Some(Value::Object(key)) =
        schema.get_mut("properties").and_then(|all| all.get_mut("idempotency_key"))
    {
        key.insert("maxLength".to_owned(), super::arguments::KEY_MAX.into());
    }
}

fn plain(value: &mut Value) {
    match value {
        Value::Object(map) => plain_object(map),
        Value::Array(list) => list.iter_mut().for_each(plain),
        _ => {}
    }
}

fn plain_object(map: &mut Map<String, Value>) {
    for name in ["$schema", "$defs", "definitions", "title", "format"] {
        // A property may bear such a name; its value is then an object or a boolean, never a text.
        if map.get(name).is_some_and(|value| {
            value.is_string() || name.ends_with("defs") || name == "definitions"
        }) {
            map.remove(name);
        }
    }
    if map.get("default") == Some(&Value::Null) {
        map.remove("default");
    }
    without_null(map);
    words_of(map);
    map.values_mut().for_each(plain);
}

/// `["integer", "null"]` to `"integer"`, and `anyOf` of something and null to that something:
/// `required` says what is optional.
fn without_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = map.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(choices)) = map.get("anyOf") {
        let real: Vec<&Value> = choices
            .iter()
            .filter(|one| one.get("type").is_none_or(|kind| kind != "null"))
            .collect();
        if let [Value::Object(only)] = real.as_slice() {
            let only = only.clone();
            map.remove("anyOf");
            for (name, value) in only {
                map.entry(name).or_insert(value);
            }
        }
    }
}

/// An enum whose words are documented one by one, as a plain list of words.
fn words_of(map: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = map.get("oneOf") else { return };
    let mut words = Vec::new();
    for choice in choices {
        match (choice.get("const"), choice.get("enum")) {
            (Some(word), _) => words.push(word.clone()),
            (None, Some(Value::Array(more))) => words.extend(more.iter().cloned()),
            _ => return,
        }
    }
    map.remove("oneOf");
    map.insert("type".to_owned(), "string".into());
    map.insert("enum".to_owned(), Value::Array(words));
}

fn strip_prose(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for name in ["description", "minimum"] {
                if map.get(name).is_some_and(|value| !value.is_object()) {
                    map.remove(name);
                }
            }
            map.remove("additionalProperties");
            map.values_mut().for_each(strip_prose);
        }
        Value::Array(list) => list.iter_mut().for_each(strip_prose),
        _ => {}
    }
}

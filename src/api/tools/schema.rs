//! JSON Schemas in the dialect that every client accepts: no references, combinators or nulls.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The mark of a result field whose description agents see, because the name does not say it all.
const SHOWN: &str = "shown";

/// Returns the schema of the parameters, with their descriptions.
pub(super) fn input<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = generate::<T>(settings);
    schema.remove("description");
    bound_texts(&mut schema);
    schema
}

/// Returns the schema of the result. Only fields marked as shown keep their description.
pub(super) fn output<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = Value::Object(generate::<T>(settings));
    strip_prose(&mut schema);
    object(schema)
}

/// Merges the schemas of several kinds: all properties, and what every kind requires.
pub(super) fn either(kinds: &[Map<String, Value>]) -> Map<String, Value> {
    let mut all = Map::new();
    for kind in kinds {
        for (name, value) in kind {
            match (all.get_mut(name), value) {
                (Some(Value::Object(known)), Value::Object(more)) => {
                    for (property, schema) in more {
                        match known.get_mut(property) {
                            Some(known) => add_words(known, schema),
                            None => drop(known.insert(property.clone(), schema.clone())),
                        }
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

/// Adds the words of one enum to another.
fn add_words(known: &mut Value, more: &Value) {
    let more = more.get("enum").and_then(Value::as_array);
    if let (Some(Value::Array(words)), Some(more)) = (known.get_mut("enum"), more) {
        for word in more {
            if !words.contains(word) {
                words.push(word.clone());
            }
        }
    }
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

/// Shows the maximum length of the one text that an agent makes up.
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
        // A property may have such a name; its value is then an object or a boolean, never a text.
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

/// Removes null from types and `anyOf`, because `required` tells what is optional.
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

/// Turns an enum with documented words into a plain list of words.
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
            let is_shown = map.remove(SHOWN).is_some();
            for name in ["description", "minimum"] {
                let is_needed = name == "description" && is_shown;
                if !is_needed && map.get(name).is_some_and(|value| !value.is_object()) {
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

//! Checks arguments against a tool's own schema: whole numbers, bounds, lengths, known names.
//!
//! An error names the parameter in `details.field` and never repeats its value.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value, json};

use super::Tool;
use crate::api::Error;

/// The maximum length of an idempotency key, in characters.
pub(super) const KEY_MAX: usize = 128;

/// The largest whole number that a floating-point number represents exactly (2^53).
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Parameters of features that are off, with their tools: accepted without effect, not shown.
const IGNORED: [(&str, &[&str]); 1] = [("approval_id", &["pay", "send_token", "zap"])];

/// Returns whether a text is a valid idempotency key: 1 to 128 characters, no control characters.
pub(super) fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= KEY_MAX && !text.chars().any(char::is_control)
}

/// Returns the maximum length of a text parameter, in characters. It only stops oversized input.
fn chars_max(field: &str) -> usize {
    match field {
        "idempotency_key" => KEY_MAX,
        "payment_id" | "deposit_id" | "repeat_of" | "payment_hash" | "since" | "until" => 128,
        "token" => 500_000,
        "to" => 16_000,
        _ => 4_000,
    }
}

/// Checks arguments, renames older parameters, drops empty ones, and turns `5.0` into 5.
///
/// # Errors
/// `invalid_input` with `details.field`, and `min` and `max` if a bound was exceeded.
pub(super) fn check(
    tool: &Tool,
    arguments: Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let properties = tool.input_schema.get("properties").and_then(Value::as_object);
    let required = tool.input_schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
    let mut checked = Map::new();
    for (given, value) in arguments {
        if IGNORED.iter().any(|(name, tools)| *name == given && tools.contains(&tool.name)) {
            continue;
        }
        let name = tool
            .aliases
            .iter()
            .find(|(older, _)| *older == given)
            .map_or(given.as_str(), |(_, current)| *current);
        let Some(schema) = properties.and_then(|all| all.get(name)).and_then(Value::as_object)
        else {
            return Err(unknown(&given, properties));
        };
        let empty = value.as_str().is_some_and(str::is_empty) && name != "idempotency_key";
        if value.is_null() || (empty && !is_required(name)) {
            continue;
        }
        let value = check_value(name, schema, value)?;
        if checked.insert(name.to_owned(), value).is_some() {
            return Err(Error::invalid(name, format!("{name} was given twice, under two names.")));
        }
    }
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !checked.contains_key(name) {
            return Err(Error::invalid(name, format!("{name} is missing.")));
        }
    }
    Ok(checked)
}

/// Turns checked arguments into a request.
///
/// # Errors
/// `invalid_input`, only if a schema and its struct disagree.
pub(super) fn into_request<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Error> {
    serde_json::from_value(Value::Object(arguments))
        .map_err(|_| Error::invalid("arguments", "The parameters cannot be read."))
}

fn unknown(given: &str, properties: Option<&Map<String, Value>>) -> Error {
    let plain = given.len() <= 40
        && given.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let field = if plain && !given.is_empty() { given } else { "(unreadable)" };
    let known: Vec<Value> =
        properties.into_iter().flat_map(Map::keys).map(|name| json!(name)).collect();
    Error::invalid(field, "Unknown parameter; details.parameters lists all.")
        .with("parameters", known)
}

fn check_value(name: &str, schema: &Map<String, Value>, value: Value) -> Result<Value, Error> {
    match (schema.get("type").and_then(Value::as_str), value) {
        (Some("integer"), Value::Number(number)) => whole(name, schema, &number),
        (Some("integer"), _) => {
            Err(Error::invalid(name, format!("{name} must be a whole number.")))
        }
        (Some("boolean"), value @ Value::Bool(_)) => Ok(value),
        (Some("boolean"), _) => Err(Error::invalid(name, format!("{name} must be true or false."))),
        (_, Value::String(text)) => check_text(name, schema, text),
        _ => Err(Error::invalid(name, format!("{name} must be a text."))),
    }
}

fn whole(name: &str, schema: &Map<String, Value>, number: &Number) -> Result<Value, Error> {
    let bound = |which: &str| schema.get(which).and_then(Value::as_u64);
    let (min, max) = (bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(u64::MAX));
    let value = number.as_u64().or_else(|| {
        let float = number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && (0.0..=EXACT_MAX).contains(float))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, not negative, and exact"
        )]
        Some(float as u64)
    });
    match value {
        Some(value) if (min..=max).contains(&value) => Ok(json!(value)),
        _ => {
            Err(Error::invalid(name, format!("{name} must be a whole number from {min} to {max}."))
                .with("min", min)
                .with("max", max))
        }
    }
}

fn check_text(name: &str, schema: &Map<String, Value>, text: String) -> Result<Value, Error> {
    if let Some(Value::Array(words)) = schema.get("enum") {
        if words.iter().any(|word| word.as_str() == Some(text.as_str())) {
            return Ok(Value::String(text));
        }
        return Err(Error::invalid(
            name,
            format!("{name} must be one of the words in details.words."),
        )
        .with("words", words.clone()));
    }
    let max = chars_max(name);
    if text.is_empty() || text.chars().nth(max).is_some() {
        let message = format!("{name} must have 1 to {max} characters.");
        return Err(Error::invalid(name, message).with("min", 1).with("max", max));
    }
    if name == "idempotency_key" && !is_key(&text) {
        return Err(Error::invalid(name, "idempotency_key must not contain control characters."));
    }
    Ok(Value::String(text))
}

//! Shows results and errors to people: tables, and below them the texts to copy.
//!
//! Every text is cleaned here, even if it was cleaned before: no control characters, nothing that
//! reorders a line.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use crate::model::text;

/// Fields to copy or view whole, shown below the table on lines of their own.
const WHOLE: &[&str] = &["bolt11", "lightning_uri", "token", "qr_text", "csv"];

/// Shows a result.
///
/// # Errors
/// The stream cannot be written.
pub(super) fn result(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    let Some(fields) = value.as_object() else { return Ok(()) };
    let mut facts = table();
    let mut lists = Vec::new();
    flatten("", fields, &mut facts, &mut lists);
    if facts.row_count() > 0 {
        writeln!(out, "{facts}")?;
    }
    for (name, rows) in lists {
        writeln!(out, "\n{}", label(&name))?;
        writeln!(out, "{}", of_rows(rows))?;
    }
    for name in WHOLE {
        if let Some(text) = fields.get(*name).and_then(Value::as_str) {
            writeln!(out, "\n{}\n{}", label(name), harmless(text).trim_end())?;
        }
    }
    Ok(())
}

/// Shows a failure, the error object of the tools: what happened, whether money moved, what to do.
///
/// # Errors
/// The stream cannot be written.
pub(super) fn failure(error: &Value, out: &mut dyn Write) -> io::Result<()> {
    let text = |name: &str| harmless(error.get(name).and_then(Value::as_str).unwrap_or_default());
    writeln!(out, "{}: {}", text("error"), text("message"))?;
    for (name, value) in error.get("details").and_then(Value::as_object).into_iter().flatten() {
        writeln!(out, "  {}: {}", label(name), cell(name, value))?;
    }
    if error.get("payment_id").is_some() {
        writeln!(out, "  payment id: {}", text("payment_id"))?;
    }
    if let Some(seconds) = error.get("retry_after_seconds") {
        writeln!(out, "  retry in: {seconds} s")?;
    }
    match text("money_moved").as_str() {
        "no" => {}
        "yes" => writeln!(out, "Money has moved.")?,
        _ => writeln!(out, "Money may have moved.")?,
    }
    writeln!(out, "{}", text("next_step"))
}

fn table() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .force_no_tty();
    table
}

type List<'a> = (String, &'a [Value]);

/// Turns nested objects into rows, and lists of objects into tables of their own.
fn flatten<'a>(
    prefix: &str,
    fields: &'a Map<String, Value>,
    facts: &mut Table,
    lists: &mut Vec<List<'a>>,
) {
    for (name, value) in fields {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix} {name}") };
        match value {
            _ if prefix.is_empty() && WHOLE.contains(&name.as_str()) => {}
            Value::Object(inner) => flatten(&path, inner, facts, lists),
            Value::Array(rows) if rows.iter().all(Value::is_object) => lists.push((path, rows)),
            _ => {
                facts.add_row([label(&path), cell(name, value)]);
            }
        }
    }
}

fn of_rows(rows: &[Value]) -> Table {
    let mut columns: Vec<&str> = Vec::new();
    for name in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let mut table = table();
    if rows.is_empty() {
        table.add_row(["(none)"]);
        return table;
    }
    table.set_header(columns.iter().map(|name| label(name)));
    for row in rows {
        table.add_row(
            columns
                .iter()
                .map(|name| row.get(*name).map_or_else(String::new, |value| cell(name, value))),
        );
    }
    table
}

fn label(name: &str) -> String {
    match name.strip_prefix("untrusted_") {
        Some(rest) => format!("{} (a stranger's words)", rest.replace('_', " ")),
        None => name.replace('_', " "),
    }
}

fn cell(name: &str, value: &Value) -> String {
    match value {
        Value::String(words) if name.starts_with("untrusted_") => text::clean(words),
        Value::String(words) => harmless(words).replace('\n', " "),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Null => String::new(),
        Value::Array(items) => {
            items.iter().map(|item| cell(name, item)).collect::<Vec<_>>().join(", ")
        }
        Value::Number(_) => value.to_string(),
        Value::Object(fields) => fields
            .iter()
            .map(|(inner, value)| format!("{} {}", label(inner), cell(inner, value)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Removes everything that controls a terminal from a text of any length; keeps line ends.
fn harmless(words: &str) -> String {
    words.split('\n').map(plain_line).collect::<Vec<_>>().join("\n")
}

/// Cleans a line in short pieces, since [`text::clean`] would cut a long invoice.
fn plain_line(line: &str) -> String {
    const PIECE: usize = 100;
    if line.chars().all(|c| ('\u{20}'..='\u{7e}').contains(&c) || "█▀▄".contains(c)) {
        return line.to_owned();
    }
    let letters: Vec<char> = line.chars().collect();
    letters.chunks(PIECE).map(|piece| text::clean(&piece.iter().collect::<String>())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{Code, Error};

    fn shown(value: &Value) -> String {
        let mut out = Vec::new();
        assert!(result(value, &mut out).is_ok());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_result_is_a_table_with_long_texts_whole_below() {
        let invoice = "lnbc1".repeat(100);
        let text = shown(
            &json!({"money": "play", "limits": {"per_day_sats": 5}, "bolt11": invoice, "mints": [{"mint": "https://m", "test": true}]}),
        );
        assert!(
            text.contains("limits per day sats")
                && text.contains("https://m")
                && text.contains("yes"),
            "{text}"
        );
        assert!(text.contains(&invoice), "a line to copy is not broken");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let text = shown(
            &json!({"untrusted_memo": "a\u{1b}[2Jb", "mint": "x\u{1b}]0;y\u{7}\r", "csv": "a\u{1b}\nb"}),
        );
        assert!(!text.contains(['\u{1b}', '\u{7}', '\r']), "{text:?}");
        assert!(text.contains("a\nb"), "{text}");
    }

    #[test]
    fn a_failure_says_what_to_do() {
        let mut out = Vec::new();
        let error = Error::new(Code::OverBudget, "Over.").with("limit_sats", 5).after(Some(60));
        assert!(failure(&serde_json::to_value(error).unwrap_or_default(), &mut out).is_ok());
        let text = String::from_utf8_lossy(&out).into_owned();
        assert!(
            text.starts_with("over_budget: Over.\n  limit sats: 5\n  retry in: 60 s\n"),
            "{text}"
        );
        assert!(text.ends_with("Do not split it.\n"), "{text}");
    }
}

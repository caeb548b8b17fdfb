//! Words of strangers, made harmless.

/// Cleans a stranger's words (a placeholder's body until the module lands).
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

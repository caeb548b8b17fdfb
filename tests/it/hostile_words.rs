//! Texts of strangers on a terminal: they come out only in rows and columns that name them so.

use testbed::harness::strangers::{CANARIES, canary_in, check_csv, is_hidden};

/// Looks at what the command line prints: canaries only in rows and columns that say whose words
/// they are.
pub(crate) fn check_terminal(text: &str, found: &mut Vec<&'static str>) {
    assert!(!text.contains(is_hidden), "{text:?}");
    let (text, csv) = text.split_once("\ncsv\n").unwrap_or((text, ""));
    check_csv(csv, found).unwrap();
    let mut columns: Vec<(usize, bool)> = Vec::new();
    for line in text.lines() {
        if canary_in(line).is_none() {
            if line.contains("(a stranger's words)")
                || line.trim_start().starts_with("id ")
                || line.trim_start().starts_with("mint ")
            {
                columns = heads(line);
            }
            continue;
        }
        for canary in CANARIES.iter().filter(|canary| line.contains(**canary)) {
            let at = line.split(canary).next().map_or(0, |before| before.chars().count());
            let label = line.find("(a stranger's words)").is_some_and(|label| label < at);
            let column = columns
                .iter()
                .rev()
                .find(|(start, _)| *start <= at)
                .is_some_and(|(_, strangers)| *strangers);
            assert!(label || column || *canary == "zqown", "{line:?}\nin {text}");
            found.push(canary);
        }
    }
}

/// Where each column of a header begins, and whether it is a stranger's.
fn heads(line: &str) -> Vec<(usize, bool)> {
    let letters: Vec<char> = line.chars().collect();
    let starts = (0..letters.len()).filter(|at| {
        letters[*at] != ' '
            && (*at == 0 || (letters[at - 1] == ' ' && (*at == 1 || letters[at - 2] == ' ')))
    });
    starts
        .map(|at| {
            let rest: String = letters[at..].iter().collect();
            (at, rest.split("  ").next().unwrap_or_default().contains("(a stranger's words)"))
        })
        .collect()
}

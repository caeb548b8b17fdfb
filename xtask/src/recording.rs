//! A terminal session as a picture: the lines a program has printed, drawn as SVG text.
//!
//! Lines appear one after another, as fast as a person reads. A viewer that shows no animation, or
//! a reader who asked for less motion, sees all of them at once.

use std::fmt::Write as _;

/// The width of a character and the height of a line, in SVG units.
const CELL: (f64, f64) = (7.8, 18.0);
/// The height of the window's title bar, and the space around the text.
const BAR: f64 = 34.0;
const MARGIN: f64 = 16.0;
/// Seconds before the first line, and between two lines.
const BEGIN: f64 = 0.8;
const PACE: f64 = 0.22;

const STYLE: &str = "
    text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
      font-size: 13px; fill: #e6edf3; white-space: pre; }
    .prompt { fill: #7ee787; } .title { fill: #79c0ff; font-weight: 600; } .dim { fill: #9ea7b3; }
    .refused { fill: #ffa657; }
    g { animation: appear 0.1s backwards; }
    @keyframes appear { from { opacity: 0; } }
    @media (prefers-reduced-motion: reduce) { g { animation: none; } }
  ";

/// Draws `command` at a prompt and `output` below it. `alt` describes the picture in a sentence.
pub(crate) fn svg(command: &str, output: &str, alt: &str) -> String {
    let lines: Vec<&str> = output.trim_end().lines().map(str::trim_end).collect();
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let width = CELL.0.mul_add(columns as f64, 2.0 * MARGIN);
    let height = CELL.1.mul_add(lines.len() as f64 + 2.0, BAR + 2.0 * MARGIN);
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         role=\"img\">\n  <title>{}</title>\n  <style>{STYLE}</style>\n  \
         <rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"#161b22\" stroke=\"#30363d\"/>\n",
        escaped(alt)
    );
    for (at, colour) in ["#ff5f57", "#febc2e", "#28c840"].into_iter().enumerate() {
        let x = 20.0_f64.mul_add(at as f64, 22.0);
        let _ = writeln!(picture, "  <circle cx=\"{x}\" cy=\"18\" r=\"6\" fill=\"{colour}\"/>");
    }
    let mut draw = |row: usize, class: &str, line: &str, delay: f64| {
        let y = CELL.1.mul_add(row as f64 + 1.0, BAR + MARGIN - 6.0);
        let _ = writeln!(
            picture,
            "  <g style=\"animation-delay:{delay:.2}s\"><text class=\"{class}\" x=\"{MARGIN}\" \
             y=\"{y}\" xml:space=\"preserve\">{}</text></g>",
            escaped(line)
        );
    };
    draw(0, "prompt", &format!("$ {command}"), 0.0);
    let mut delay = BEGIN;
    for (row, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let above = row.checked_sub(1).and_then(|row| lines.get(row)).copied().unwrap_or("");
        let below = lines.get(row + 1).copied().unwrap_or("");
        draw(row + 2, class(above, line, below), line, delay);
        delay += PACE;
    }
    picture.push_str("</svg>\n");
    picture
}

/// The style of a line: a title is underlined by the line below it, and names of columns follow an
/// underline.
fn class(above: &str, line: &str, below: &str) -> &'static str {
    let is_rule = |line: &str| !line.is_empty() && line.chars().all(|sign| sign == '-');
    if is_rule(below) {
        "title"
    } else if is_rule(line) || is_rule(above) {
        "dim"
    } else if ["over_", "_paused", "refused"].iter().any(|word| line.contains(word)) {
        "refused"
    } else {
        "plain"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_drawn_line_by_line() {
        let drawn = svg("run", "Title\n-----\nwho  sats\na<b  over_budget\n\n", "one & all");
        for part in [
            "<title>one &amp; all</title>",
            ">$ run</text>",
            "class=\"title\" x=\"16\" y=\"98\"",
            "class=\"dim\" x=\"16\" y=\"134\"",
            "xml:space=\"preserve\">a&lt;b  over_budget</text>",
        ] {
            assert!(drawn.contains(part), "{part} is not in {drawn}");
        }
        assert_eq!(drawn.matches("<text ").count(), 5);
    }
}

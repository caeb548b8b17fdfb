//! Checks that the documents match the tree, and that no file names the machine it was made on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nutpurse::testing::config::{Environment, Home, Settings};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Lists the files under version control, or about to be.
fn tracked() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(listed.status.success(), "git ls-files");
    let names = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<PathBuf> =
        names.lines().map(PathBuf::from).filter(|name| root().join(name).is_file()).collect();
    assert!(files.len() > 100, "the files were not found");
    files
}

/// Returns the words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with("```"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn a_new_wallet_gets_the_list_of_mints_that_is_shown_here() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::default();
    let home = Home::resolve(Some(folder.path()), &environment).unwrap();
    let settings = Settings::load(&home).unwrap();
    assert_eq!(fs::read_to_string(home.mints()).unwrap(), text("mints.toml"));
    assert!(
        !settings.policy.mints.is_empty() && settings.policy.mints.iter().all(|mint| mint.test),
        "new wallets hold play money"
    );
}

#[test]
fn every_decision_is_linked_and_says_what_its_link_says() {
    let architecture = text("ARCHITECTURE.md");
    for entry in fs::read_dir(root().join("docs/adr")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("docs/adr/{}", path.file_name().unwrap().to_string_lossy());
        let body = text(&name);
        let (number, title) = body
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# "))
            .and_then(|line| line.split_once(". "))
            .unwrap();
        assert!(
            architecture.contains(&format!("{number}. [{title}]({name})")),
            "{name} is not linked by its title"
        );
        assert!(
            name.contains(&format!("/{:04}-", number.parse::<u32>().unwrap())),
            "{name}: its number"
        );
    }
}

/// Returns the section of `ARCHITECTURE.md` under a heading.
fn section(heading: &str) -> String {
    let architecture = text("ARCHITECTURE.md");
    let (_, rest) = architecture.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap().to_owned()
}

/// Returns a table's rows without its head, each as its cells.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let lines = section.lines().filter(|line| line.starts_with("| "));
    lines.skip(1).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// Each folder of `src`, at any depth, has exactly one line; every folder beside `src` is covered.
/// A folder that contains only a file's `tests.rs` needs none.
#[test]
fn every_folder_is_on_the_code_map_once() {
    let map = section("Code map");
    let rows = rows(&map);
    let mapped: Vec<&str> = rows.iter().flat_map(|row| quoted(row[0])).collect();
    let mut folders: BTreeSet<String> = ["src".to_owned()].into();
    for file in tracked().into_iter().filter(|file| !file.ends_with("tests.rs")) {
        let parents = file.ancestors().skip(1).map(|folder| folder.to_string_lossy().into_owned());
        folders.extend(parents.filter(|folder| folder.starts_with("src/")));
        let top = file.iter().next().unwrap().to_string_lossy().into_owned();
        if file.iter().count() > 1 && top != "src" {
            assert!(mapped.iter().any(|name| is_in(name, &top)), "{top} is not on the code map");
        }
    }
    let named: Vec<&str> = mapped.iter().copied().filter(|name| is_in(name, "src")).collect();
    assert_eq!(named.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), folders);
    assert_eq!(named.len(), folders.len(), "a folder has two lines: {named:?}");
    for name in &mapped {
        assert!(root().join(name).is_dir(), "the code map names {name}");
    }
    for row in &rows {
        assert!(row.len() == 2 && row[1].len() > 10, "{row:?} says too little");
    }
}

fn is_in(name: &str, top: &str) -> bool {
    name == top || name.starts_with(&format!("{top}/"))
}

#[test]
fn every_trap_names_its_file_and_links_its_reason() {
    let traps = section("Where each trap is handled");
    let rows = rows(&traps);
    assert!(rows.len() > 30, "the table was not read");
    for row in rows {
        let is_linked = row.get(2).is_some_and(|reason| reason.contains("]("));
        assert!(is_linked && !quoted(row[1]).is_empty(), "{row:?}");
    }
}

/// Pages of the manual that are not generated.
const MANUAL: [&str; 5] = [
    "docs/backup.md",
    "docs/configuration.md",
    "docs/faults.md",
    "docs/nostr.md",
    "docs/troubleshooting.md",
];

#[test]
fn every_path_that_a_document_names_is_there() {
    for name in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "CHANGELOG.md"]
        .into_iter()
        .chain(MANUAL)
        .map(str::to_owned)
        .chain(decisions())
    {
        for word in quoted(&text(&name)) {
            let is_path = word.ends_with(".rs")
                || ["src/", "tests/", "docs/", "examples/"]
                    .iter()
                    .any(|start| word.starts_with(start));
            if is_path && !word.contains(' ') {
                assert!(
                    root().join(word).exists() || root().join("src").join(word).exists(),
                    "{name} names {word}"
                );
            }
        }
    }
}

/// Returns the part of an address behind `#` that opens a page at this heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    for name in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"]
        .into_iter()
        .chain(MANUAL)
        .map(str::to_owned)
        .chain(decisions())
    {
        let body = text(&name);
        for link in body.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            let (path, section) = link.split_once('#').unwrap_or((link, ""));
            let page = match path {
                "" => root().join(&name),
                path => root().join(&name).parent().unwrap().join(path),
            };
            let leads = if section.is_empty() {
                page.exists()
            } else {
                fs::read_to_string(&page).is_ok_and(|body| {
                    let mut headings = body.lines().filter(|line| line.starts_with('#'));
                    headings.any(|line| anchor(line.trim_start_matches('#').trim()) == section)
                })
            };
            assert!(leads, "{name} links to {link}");
        }
    }
}

fn decisions() -> Vec<String> {
    let entries = fs::read_dir(root().join("docs/adr")).unwrap();
    entries
        .map(|entry| format!("docs/adr/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect()
}

#[test]
fn what_the_readme_tells_to_run_can_be_run() {
    let readme = text("README.md");
    for command in
        ["cargo xtask sandbox", "cargo test --workspace", "cargo install --path . --locked"]
    {
        assert!(readme.contains(command), "{command}");
    }
    assert!(root().join("examples/sandbox/main.rs").is_file());
    assert!(text("Cargo.toml").contains("[workspace]"));
}

#[test]
fn every_test_that_stands_for_a_fault_by_day_is_there() {
    let nightly = text("examples/faults/nightly.rs");
    let tests: Vec<&str> =
        nightly.split('"').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
    assert!(tests.len() > 50, "the list was not read");
    for test in tests {
        let (file, function) = test.split_once("::").unwrap();
        let file =
            if file.starts_with("src/") { file.to_owned() } else { format!("tests/it/{file}") };
        assert!(text(&file).contains(&format!("fn {function}(")), "{test}");
    }
}

#[test]
fn the_readme_has_every_tool_and_the_limits_of_a_new_wallet() {
    let (readme, manual) = (text("README.md"), text("docs/configuration.md"));
    for tool in nutpurse::testing::api::tools::all() {
        assert!(readme.contains(&format!("| `{}` |", tool.name)), "{}", tool.name);
    }
    let config = text("src/config/default_config.toml");
    for (limit, _) in nutpurse::testing::policy::LIMITS.each() {
        let key = limit.key;
        let line = config.lines().find(|line| line.starts_with(key)).unwrap();
        let value = line.split(['=', '#']).nth(1).unwrap().trim();
        let row = format!("| `{key}` | {value} |");
        assert!(readme.contains(&row) && manual.contains(&row), "{row}");
    }
}

#[test]
fn the_changelog_has_this_version() {
    let changelog = text("CHANGELOG.md");
    let version = env!("CARGO_PKG_VERSION");
    let heading = changelog.lines().find(|line| line.starts_with("## ")).unwrap();
    assert!(heading.contains(version), "{heading} is not {version}");
    let first = changelog.lines().find(|line| line.starts_with("### ")).unwrap();
    assert_eq!(first, "### Compatibility");
}

#[test]
fn nothing_names_the_machine_it_was_made_on() {
    let places = [["/wo", "rk/"], ["/ro", "ot/"], ["/tm", "p/"], ["sha", "red/"]]
        .map(|halves| halves.concat());
    for file in tracked() {
        let body = String::from_utf8_lossy(&fs::read(root().join(&file)).unwrap()).into_owned();
        for place in &places {
            assert!(!body.contains(place.as_str()), "{} names {place}", file.display());
        }
    }
}

//! The house in order: what the documents say is there, and nothing of the machine it was built on.

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

/// Every file under version control, or about to be.
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

/// The words between backticks.
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

#[test]
fn every_folder_is_on_the_code_map() {
    let architecture = text("ARCHITECTURE.md");
    for file in tracked() {
        if file.ends_with("tests.rs") {
            continue;
        }
        let folder = file.parent().unwrap().to_string_lossy().replace('\\', "/");
        let top = folder.split('/').next().unwrap_or_default();
        let wanted = if top == "src" { folder.as_str() } else { top };
        let named = [format!("| `{wanted}` |"), format!("| `{wanted}/")];
        assert!(
            wanted.is_empty()
                || wanted == "src"
                || named.iter().any(|row| architecture.contains(row)),
            "{wanted} is not on the code map"
        );
    }
}

/// The pages of the manual, beside those that are generated.
const MANUAL: [&str; 5] = [
    "docs/backup.md",
    "docs/configuration.md",
    "docs/faults.md",
    "docs/nostr.md",
    "docs/troubleshooting.md",
];

#[test]
fn every_path_that_a_document_names_is_there() {
    for name in ["ARCHITECTURE.md", "README.md", "CHANGELOG.md"]
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

/// The part of an address behind `#` by which a page is opened at this heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_of_the_manual_leads_somewhere() {
    for name in ["README.md"].into_iter().chain(MANUAL) {
        let body = text(name);
        for link in body.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            let (path, section) = link.split_once('#').unwrap_or((link, ""));
            let page = match path {
                "" => root().join(name),
                path => root().join(name).parent().unwrap().join(path),
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

//! Pages that are made from the code say what the code says. `UPDATE_DOCS=1` writes them anew.

use std::error::Error;
use std::path::Path;

#[test]
fn docs_tools_md_is_what_the_tools_say() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tools.md");
    let made = nutpurse::testing::mcp::docs::render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        std::fs::write(&path, &made)?;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/tools.md is stale: UPDATE_DOCS=1 cargo test --test it docs");
    Ok(())
}

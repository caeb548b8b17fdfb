//! The mint kept up, and a folder prepared, to try the wallet from a client by hand.

use std::path::Path;

use serde_json::json;
use testbed::Bench;
use testbed::harness::{Home, Limits, Outcome, Settings};

use crate::report::title;

/// The limits of a new wallet.
const LIMITS: Limits = Limits { per_payment: 1_000, per_day: 5_000 };

/// Serves until Ctrl-C; then mint, folder and coins are gone.
pub(crate) async fn serve(program: &Path) -> Outcome {
    let bench = Bench::start().await?;
    let home = Home::new(&Settings::at([bench.mint.url()]).limits(LIMITS))?;
    let shop = bench.lightning.payee("shop");
    println!("A real Cashu mint on a simulated Lightning network. No coin here is worth anything.");
    println!("mint    {}   (deposits pay themselves)", bench.mint.url());
    println!("relay   {}   (the wallet does not use it yet)", bench.relay.url());
    println!("folder  {}", home.path().display());

    title("Claude Desktop, Claude Code (.mcp.json), Cursor");
    let (command, folder) = (program.display().to_string(), home.path().display().to_string());
    let server =
        json!({"command": command, "args": ["--home", folder], "env": {"NUTPURSE_KEYRING": "off"}});
    println!(
        "{}",
        serde_json::to_string_pretty(&json!({"mcpServers": {"nutpurse-sandbox": server}}))?
    );
    title("VS Code (.vscode/mcp.json)");
    println!(
        "{}",
        serde_json::to_string_pretty(&json!({"servers": {"nutpurse-sandbox": server}}))?
    );
    title("goose (config.yaml)");
    println!(
        "extensions:\n  nutpurse-sandbox:\n    name: nutpurse-sandbox\n    type: stdio\n    enabled: true"
    );
    println!("    cmd: {}\n    args: [\"--home\", {}]", json!(command), json!(folder));
    println!("    envs: {{ NUTPURSE_KEYRING: \"off\" }}\n    timeout: 300");
    title("Codex (config.toml)");
    println!(
        "[mcp_servers.nutpurse-sandbox]\ncommand = {}\nargs = [\"--home\", {}]",
        json!(command),
        json!(folder)
    );
    println!("env = {{ NUTPURSE_KEYRING = \"off\" }}");

    title("Ask your agent to deposit 1,000 sats, then to pay one of these");
    for (amount, what) in
        [(21, "a coffee"), (210, "a book"), (2_100, "a chair, above the limit for one payment")]
    {
        println!("{amount} sats, {what}:\n{}\n", shop.invoice(amount, what)?);
    }
    println!("Ctrl-C ends the mint and deletes the folder.");
    tokio::signal::ctrl_c().await?;
    println!("\nThe shop got {} sats.", shop.received());
    Ok(())
}

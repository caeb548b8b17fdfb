//! The tools, and the MCP server that offers them. The only place that knows rmcp.
//!
//! Never sees a mint, a store or a relay; never decides to spend; nothing here logs arguments or results.

pub mod tools;
mod wire;

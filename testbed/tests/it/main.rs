//! The bench on the bench: what the other tests rely on, shown with a plain cdk wallet and with raw
//! HTTP.

mod liar;
mod lightning;
mod lnurl;
mod mint;
mod proxy;
mod relay;
mod shim;
mod support;

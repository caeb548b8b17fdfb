//! invoice.

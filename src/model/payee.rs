//! payee.

//! cdk's own conformance test, whole.

use std::sync::atomic::{AtomicU64, Ordering};

use cdk_common::wallet_db_test;
use redb::backends::InMemoryBackend;

use super::super::Store;
use super::super::view::View;

/// Each look is a second later, so that "newest" means something.
fn clock() -> u64 {
    static NOW: AtomicU64 = AtomicU64::new(1_700_000_000);
    NOW.fetch_add(1, Ordering::Relaxed)
}

async fn view(_test: String) -> View {
    let store = Store::with_backend(InMemoryBackend::new(), clock).await.unwrap();
    View { store, device: 0 }
}

wallet_db_test!(view);

/// What the macro does not list.
mod keys {
    use super::view;

    macro_rules! more {
        ($($name:ident),*) => {
            $(#[tokio::test]
            async fn $name() {
                cdk_common::database::wallet::test::$name(view(String::new()).await).await;
            })*
        };
    }

    more!(add_and_get_p2pk_key, list_p2pk_keys_empty, list_p2pk_keys_multiple, latest_p2pk_empty, latest_p2pk_with_keys);
}

//! Every answer to what a restore asks: it never says that all is there when some of it is not.

use std::sync::Arc;

use super::lane::{Lane, Told, tried};
use crate::restore::{restore, words};
use crate::world::{Home, holdings};

/// What is asked, and the how manieth time.
pub(super) const ASKED: [(&str, usize); 3] =
    [("/v1/restore", 2), ("/v1/checkstate", 1), ("/v1/restore", 1)];

/// A wallet that is gone: its words and its sats.
async fn lost(lane: &Lane) -> (String, u64) {
    let scene = lane.scene(600).await;
    let sats = holdings(&scene.agent).await.spendable;
    let home = scene.agent.close().await;
    // Nobody else asks from now on.
    lane.friend.clone().close().await;
    (words(&home), sats)
}

/// Whether `restore --words` says that it has done all, and what can be spent then.
async fn restored(home: &Arc<Home>, words: &str) -> (bool, u64) {
    let (home, words) = (Arc::clone(home), words.to_owned());
    let output = tokio::task::spawn_blocking(move || restore(&home, &words)).await.unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let spendable = out
        .lines()
        .find_map(|line| line.strip_prefix("spendable now: ")?.strip_suffix(" sats")?.parse().ok());
    (
        output.status.success(),
        spendable.unwrap_or_else(|| panic!("{out}{}", String::from_utf8_lossy(&output.stderr))),
    )
}

async fn cell(lane: &Lane, (path, nth): (&str, usize), told: Told) -> String {
    let what = format!("{path}, {nth}, answered {told:?}");
    let (words, owed) = lane.lost.get_or_init(|| lost(lane)).await;
    let home = Arc::new(Home::at([lane.proxy.url()]).unwrap());
    lane.proxy.clear();
    let rule = lane.proxy.fail(told.instead("POST", path, false).nth(nth));
    let (all, first) = restored(&home, words).await;
    assert_eq!(lane.proxy.fired(rule), 1, "{what}");
    assert!(
        first == *owed || !all && first < *owed,
        "{what}: {first} of {owed} sats, and told as all"
    );
    if nth > 1 {
        // Cut in the middle, it can be done again.
        lane.proxy.clear();
        assert_eq!(restored(&home, words).await, (true, *owed), "{what}");
    }
    if all { "restored at once".to_owned() } else { "said to be restored in part".to_owned() }
}

/// The table of a restore.
pub(super) async fn table(asked: &[(&'static str, usize)], at: &str, lanes: &[Lane]) -> usize {
    let cells =
        asked.iter().flat_map(|asked| Told::ALL.iter().map(|told| (*asked, *told))).collect();
    tried(&format!("restore at {at}"), lanes, cells, async |lane, (asked, told)| {
        cell(lane, asked, told).await
    })
    .await
}

use std::fs;

use super::*;
use crate::config::env::Environment;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn home(folder: &tempfile::TempDir) -> Result<Home, Box<dyn std::error::Error>> {
    let home = Home::resolve(Some(&folder.path().join("home")), &Environment::default())?;
    Settings::load(&home)?;
    Ok(home)
}

/// The lines of `text` that are not in `other`.
fn only_in(text: &str, other: &str) -> Vec<String> {
    text.lines().filter(|line| !other.lines().any(|one| one == *line)).map(str::to_owned).collect()
}

#[test]
fn limits_change_in_place_and_comments_stay() -> Outcome {
    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let before = fs::read_to_string(home.config())?;
    let change = SomeLimits {
        per_day_sats: Some(9_000),
        max_fee_hundredths: Some(125),
        ..SomeLimits::default()
    };
    let edit = Edit::limits(&home, &change)?;
    assert!(edit.loosens());
    assert_eq!(
        edit.changes(),
        ["limits.max_fee_percent: 2.00 -> 1.25", "limits.per_day_sats: 5000 -> 9000"]
    );
    assert_eq!(fs::read_to_string(home.config())?, before, "written before it was confirmed");
    let fingerprint = edit.new_policy().fingerprint();
    edit.commit(true)?;
    let after = fs::read_to_string(home.config())?;
    let changed = |key: &str, from: &str, to: &str| {
        let line = before.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.replacen(from, to, 1)
    };
    let day = changed("per_day_sats", "5_000", "9000");
    let fee = changed("max_fee_percent", "2.0", "1.25");
    assert_eq!(only_in(&after, &before), [day, fee]);
    assert_eq!(only_in(&before, &after).len(), 2);
    let settings = Settings::load(&home)?;
    assert_eq!(settings.accepted.as_deref(), Some(fingerprint.as_str()));
    assert_eq!(settings.policy.fingerprint(), fingerprint);
    Ok(())
}

#[test]
fn what_tightens_an_accepted_policy_is_accepted_and_the_earlier_one_no_more() -> Outcome {
    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let first = Settings::load(&home)?.policy;
    Edit::limits(&home, &SomeLimits { per_day_sats: Some(9_000), ..SomeLimits::default() })?
        .commit(true)?;
    let loose = fs::read_to_string(home.config())?;
    let edit = Edit::paused(&home, true)?;
    assert!(!edit.loosens() && edit.new_policy().paused);
    edit.commit(false)?;
    let settings = Settings::load(&home)?;
    let followed = first.followed_by(&settings.policy, settings.accepted.as_deref());
    assert!(followed.paused && followed.limits.per_day_sats == 9_000);
    files::replace(&home.config(), &loose)?;
    let by_hand = Settings::load(&home)?;
    assert!(
        followed.followed_by(&by_hand.policy, by_hand.accepted.as_deref()).paused,
        "an old word excused an edit by hand"
    );
    Ok(())
}

#[test]
fn what_tightens_never_accepts_an_edit_by_hand() -> Outcome {
    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let running = Settings::load(&home)?.policy;
    Edit::limits(&home, &SomeLimits { per_payment_sats: Some(900), ..SomeLimits::default() })?
        .commit(true)?;
    let text = fs::read_to_string(home.config())?;
    files::replace(&home.config(), &text.replace("5_000", "1_000_000"))?;
    Edit::limits(&home, &SomeLimits { per_payment_sats: Some(800), ..SomeLimits::default() })?
        .commit(false)?;
    let settings = Settings::load(&home)?;
    assert_eq!((settings.policy.limits.per_day_sats, &settings.accepted), (1_000_000, &None));
    let followed = running.followed_by(&settings.policy, settings.accepted.as_deref());
    assert_eq!((followed.limits.per_payment_sats, followed.limits.per_day_sats), (800, 5_000));
    assert!(
        Edit::paused(&home, true)?.changes().len() == 1
            && Edit::paused(&home, false)?.changes().is_empty()
    );
    Ok(())
}

#[test]
fn a_section_that_is_missing_is_added() -> Outcome {
    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let short = "[limits]\nper_payment_sats = 1\nper_day_sats = 2\nmax_fee_percent = 2\nmax_fee_floor_sats = 0\n";
    files::replace(&home.config(), short)?;
    Edit::paused(&home, true)?.commit(false)?;
    assert_eq!(fs::read_to_string(home.config())?, format!("{short}\n[spending]\npaused = true\n"));
    Ok(())
}

#[test]
fn a_mint_comes_and_goes_and_every_comment_stays() -> Outcome {
    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let before = fs::read_to_string(home.mints())?;
    let (test, real) =
        ("https://testnut.cashudevkit.org".parse()?, "https://mint.example/Bitcoin".parse()?);
    let edit = Edit::trust_mint(&home, &real, false)?;
    assert!(edit.loosens());
    assert_eq!(
        edit.changes(),
        ["mint https://mint.example/Bitcoin: added, real money, at most 50000 sats"]
    );
    edit.commit(true)?;
    let with = fs::read_to_string(home.mints())?;
    assert_eq!(only_in(&with, &before), ["url = \"https://mint.example/Bitcoin\""]);
    assert!(only_in(&before, &with).is_empty());

    let edit = Edit::remove_mint(&home, &test)?;
    assert!(!edit.loosens());
    edit.commit(false)?;
    let without = fs::read_to_string(home.mints())?;
    let gone = ["url = \"https://testnut.cashudevkit.org\"", "test = true"];
    assert_eq!(only_in(&with, &without), gone);
    assert_eq!(Settings::load(&home)?.policy.mints.len(), 1);

    Edit::remove_mint(&home, &real)?.commit(false)?;
    assert!(Settings::load(&home)?.policy.mints.is_empty());
    assert!(Edit::remove_mint(&home, &real).is_err());
    let empty = fs::read_to_string(home.mints())?;
    assert!(only_in(&before, &empty).iter().all(|line| !line.starts_with('#')), "{empty}");

    Edit::trust_mint(&home, &test, true)?.commit(true)?;
    let back = fs::read_to_string(home.mints())?;
    assert!(
        back.starts_with("# Whom")
            && back.ends_with("[[mint]]\nurl = \"https://testnut.cashudevkit.org\"\ntest = true\n"),
        "{back}"
    );
    let edit = Edit::trust_mint(&home, &test, false)?;
    assert!(edit.loosens(), "calling a test mint real");
    Ok(())
}

#[test]
fn nothing_is_written_over_what_somebody_else_wrote_meanwhile() -> Outcome {
    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let edit = Edit::paused(&home, true)?;
    Edit::limits(&home, &SomeLimits { per_day_sats: Some(1), ..SomeLimits::default() })?
        .commit(false)?;
    assert!(edit.commit(true).is_err());
    let settings = Settings::load(&home)?;
    assert!(
        !settings.policy.paused
            && settings.policy.limits.per_day_sats == 1
            && settings.accepted.is_none()
    );
    Ok(())
}

#[test]
fn a_change_that_would_break_the_file_is_refused() -> Outcome {
    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    assert!(
        Edit::limits(&home, &SomeLimits { per_day_sats: Some(u64::MAX), ..SomeLimits::default() })
            .is_err()
    );
    files::replace(&home.mints(), "mint = [{ url = \"https://a.example\" }]\n")?;
    assert!(Edit::trust_mint(&home, &"https://b.example".parse()?, true).is_err());
    Ok(())
}

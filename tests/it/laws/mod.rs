//! The laws: random verbs, faults and restarts over real mints, judged from the mints' own
//! databases.
//!
//! A run is drawn from a seed. `NUTPURSE_SEED` repeats one run, `NUTPURSE_STEPS` only its
//! beginning, `NUTPURSE_RUNS` asks for more runs than a usual test run makes. What failed is
//! printed with its seed and all that was done.

mod judge;
mod plan;
mod scene;
mod steps;

use std::time::{Duration, Instant};

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use plan::Plan;
use scene::{LANES, Scene};

use crate::world::number;

/// A usual test run begins no run after this long.
const USUAL: Duration = Duration::from_secs(10);
const STEPS: usize = 24;

/// One run, from a seed to its judgement. The error says all that was done.
async fn run(seed: u64, lane: usize) -> Result<String, String> {
    let plan = Plan::draw(seed, STEPS, number("NUTPURSE_STEPS"));
    let log = scene::Log::new();
    let task = tokio::spawn({
        let log = log.clone();
        async move {
            let mut scene = Scene::set(&plan, lane, log).await;
            for group in &plan.groups {
                scene.perform(group).await;
            }
            scene.judge().await
        }
    });
    match task.await {
        Ok(summary) if number("NUTPURSE_SEED").is_some() => {
            Ok(format!("{}\nseed {seed}: {summary}", log.all()))
        }
        Ok(summary) => Ok(format!("seed {seed}: {summary}")),
        Err(error) => {
            let said = error.into_panic();
            let said = said
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| said.downcast_ref().copied());
            Err(format!(
                "NUTPURSE_SEED={seed} failed: {}\n{}",
                said.unwrap_or("a panic"),
                log.all()
            ))
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_verbs_faults_and_restarts_keep_the_laws() {
    let (begun, wanted) = (Instant::now(), number("NUTPURSE_RUNS"));
    let mut seeds = StdRng::from_os_rng();
    let (mut done, mut failed) = (0, Vec::new());
    loop {
        let seeds: Vec<u64> = match number("NUTPURSE_SEED") {
            Some(seed) => vec![seed],
            None => (0..LANES).map(|_| u64::from(seeds.random::<u32>())).collect(),
        };
        for outcome in join_all(seeds.iter().enumerate().map(|(lane, seed)| run(*seed, lane))).await
        {
            done += 1;
            match outcome {
                Ok(summary) => println!("{summary}"),
                Err(told) => failed.push(told),
            }
        }
        let enough = wanted.map_or(begun.elapsed() > USUAL, |wanted| done >= wanted);
        if enough || !failed.is_empty() || number("NUTPURSE_SEED").is_some() {
            break;
        }
    }
    println!("{done} runs in {} s", begun.elapsed().as_secs());
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

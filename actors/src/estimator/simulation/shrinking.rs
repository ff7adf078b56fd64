//! The smallest run that still fails, and how to see it again.

use super::configuration::{Configuration, FEATURES, WanderRate};
use super::event_loop::Simulation;
use super::report::{Lost, Report};

/// Runs a configuration in which every premise holds.
pub fn run(config: Configuration) -> Result<Report, Lost> {
    Simulation::new(config, WanderRate::AsAllowed).run()
}

/// The smallest run that still loses truth.
fn shrunk(mut config: Configuration) -> Configuration {
    let fails = |config: Configuration| run(config).is_err();
    loop {
        let half = Configuration {
            exchanges: config.exchanges / 2,
            ..config
        };
        let fewer = (0..FEATURES.len()).filter(|bit| config.features & 1 << bit != 0);
        let fewer = fewer.map(|bit| Configuration {
            features: config.features & !(1 << bit),
            ..config
        });
        let smaller = std::iter::once(half)
            .chain(fewer)
            .find(|smaller| fails(*smaller));
        match smaller {
            Some(smaller) => config = smaller,
            None => return config,
        }
    }
}

/// Fails with the smallest such run, its last events, and how to run it again.
pub fn fail(config: Configuration) -> ! {
    let config = shrunk(config);
    let lost = Simulation::new(config, WanderRate::AsAllowed)
        .traced()
        .run()
        .expect_err("fails");
    for line in &lost.log {
        eprintln!("{line}");
    }
    let features = config.names();
    let Configuration {
        seed,
        features: bits,
        exchanges,
    } = config;
    panic!(
        "{}\n{features:?}\nCLOCKBOUND_SIMULATION=\"{seed} {bits} {exchanges}\" cargo test -p clockbound-actors --lib estimator::simulation -- --nocapture",
        lost.text
    );
}

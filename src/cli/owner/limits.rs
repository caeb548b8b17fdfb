//! The options of `limits set`: one for each limit of the policy's table.

use clap::error::Error;
use clap::{Arg, ArgGroup, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::config::settings::hundredths;
use crate::policy::{LIMITS, Limit, Measure, SomeLimits};

impl Args for SomeLimits {
    fn augment_args(command: Command) -> Command {
        let args: Vec<Arg> = LIMITS.each().into_iter().map(|(limit, _)| option(limit)).collect();
        let group = ArgGroup::new("limits").args(args.iter().map(Arg::get_id));
        command.group(group.required(true).multiple(true)).args(args)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SomeLimits {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(LIMITS.zip(Self::default(), |limit, _| matches.get_one(limit.key).copied()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn option(limit: Limit) -> Arg {
    let arg = Arg::new(limit.key).long(limit.option).help(limit.help);
    match limit.measure {
        Measure::Sats => arg.value_name("SATS").value_parser(value_parser!(u64)),
        Measure::Percent => arg.value_name("PERCENT").value_parser(percent),
    }
}

fn percent(typed: &str) -> Result<u64, &'static str> {
    hundredths(typed.trim_end_matches('%').parse().unwrap_or(f64::NAN))
}

//! What a decision makes the running tap do: move the group to the candidate, or back.

use std::path::Path;

use super::Options;
use crate::cli::error::CliError;
use crate::cli::{printable, switch};
use crate::facts::Leg;
use crate::facts::authority::Mode;
use crate::ledger::query::Reader;
use crate::ledger::row::Word;
use crate::shadow::switch::Request;

/// Asks the tap that runs on the recording to carry out a decision, which is the fact `seq`; says what it began. Without one it
/// says so: the decision stands all the same.
pub(super) fn carry_out(
    options: &Options,
    reader: &Reader,
    (dir, seq): (&Path, u64),
) -> Result<String, CliError> {
    let to = match options.word {
        Word::Go => Leg::Candidate,
        Word::RollBack => Leg::Legacy,
        Word::Hold | Word::Exception | Word::SignOff => return Ok(String::new()),
    };
    if options.only_record {
        return Ok("nobody is moved: it was only to be recorded\n".to_owned());
    }
    let stations = reader.stations(Some(&options.group))?.into_iter();
    let chargers = stations.map(|station| station.charger).collect();
    let by = format!("{} (decision {seq})", options.by.trim());
    let rollback = to == Leg::Legacy;
    let request = Request {
        mode: if options.now || rollback {
            Mode::Now
        } else {
            Mode::Drain
        },
        rollback,
        by,
        ..Request::new(to, chargers)
    };
    let (group, to) = (printable(&options.group), to.word());
    match switch::begin(dir, request) {
        Ok(begun) => Ok(format!(
            "switch {} begun: {} chargers of {group} go to {to}\n",
            begun.switch, begun.chargers
        )),
        Err(error) if error.code == switch::NO_TAP => Ok(format!(
            "no tap runs on this recording: nobody is moved. Once one does: evenkeel switch --to {to} --group {group} {}{}\n",
            if rollback { "--roll-back " } else { "" },
            dir.display()
        )),
        Err(error) => Err(error),
    }
}

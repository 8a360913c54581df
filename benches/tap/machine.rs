//! Processes, cores and counters of the machine under the bench.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::Failure;

/// A process that dies with its owner, parent before children.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` pinned to `core`, in the real-time round-robin class where the machine allows it. Its children fall
    /// back to the normal class: the tap's shadow plane runs below its live plane.
    pub(crate) fn start(core: Option<usize>, command: &[String]) -> Result<Self, Failure> {
        Self::start_with(core, command, &["-R"])
    }

    /// The same, with its children in the same class.
    pub(crate) fn start_even(core: Option<usize>, command: &[String]) -> Result<Self, Failure> {
        Self::start_with(core, command, &[])
    }

    fn start_with(
        core: Option<usize>,
        command: &[String],
        class: &[&str],
    ) -> Result<Self, Failure> {
        let mut line: Vec<String> = Vec::new();
        if realtime() {
            line.push("chrt".to_owned());
            line.extend(class.iter().map(|flag| (*flag).to_owned()));
            line.extend(["-r", "10"].map(str::to_owned));
        }
        if let Some(core) = core {
            line.extend(["taskset", "-c"].map(str::to_owned));
            line.push(core.to_string());
        }
        line.extend_from_slice(command);
        let child = Command::new(&line[0])
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", line[0]))?;
        Ok(Self { child })
    }

    /// What the process printed until it ended.
    pub(crate) fn output(mut self) -> Result<String, Failure> {
        let mut text = String::new();
        if let Some(mut out) = self.child.stdout.take() {
            std::io::Read::read_to_string(&mut out, &mut text)?;
        }
        let status = self.child.wait()?;
        if status.success() {
            Ok(text)
        } else {
            Err(format!("a load process ended with {status}: {text}").into())
        }
    }

    /// The process and all its descendants.
    pub(crate) fn family(&self) -> Vec<u32> {
        let mut family = vec![self.child.id()];
        let mut at = 0;
        while at < family.len() {
            let path = format!("/proc/{0}/task/{0}/children", family[at]);
            let children = fs::read_to_string(path).unwrap_or_default();
            family.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
            at += 1;
        }
        family
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let family = self.family();
        // The process may have ended by itself: nothing to end then.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in family.into_iter().skip(1) {
            let _ = Command::new("kill")
                .args(["-9", &pid.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// Whether processes may enter the real-time class here.
pub(crate) fn realtime() -> bool {
    std::env::var_os("EVENKEEL_BENCH_PLAIN").is_none()
        && Command::new("chrt")
            .args(["-r", "10", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

/// CPU time of a family of processes so far, all threads, in µs.
pub(crate) fn cpu_us(family: &[u32]) -> f64 {
    let mut nanos = 0u64;
    for pid in family {
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
            continue;
        };
        for task in tasks.flatten() {
            let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            nanos += stat
                .split(' ')
                .next()
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0);
        }
    }
    nanos as f64 / 1_000.0
}

/// Resident memory of a family of processes, KiB.
pub(crate) fn rss_kib(family: &[u32]) -> f64 {
    family
        .iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok())
        .filter_map(|rollup| {
            rollup
                .lines()
                .find_map(|line| line.strip_prefix("Rss:"))
                .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
        })
        .sum()
}

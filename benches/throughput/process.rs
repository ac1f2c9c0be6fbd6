//! What a process has cost so far, as Linux counts it.

use std::fs;
use std::ops::{Add, Sub};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::error::{Error, Result};

/// The unit of the times in `/proc/PID/stat`: 100 per second in every Linux that people run (`getconf CLK_TCK`).
const TICK: Duration = Duration::from_millis(10);

/// CPU time, context switches and page faults.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) switches: u64,
    /// Pages of memory that were touched for the first time, or came back from a disk.
    pub(crate) faults: u64,
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            user: self.user + other.user,
            system: self.system + other.system,
            switches: self.switches + other.switches,
            faults: self.faults + other.faults,
        }
    }
}

impl Sub for Usage {
    type Output = Self;

    /// A child or thread that ended in between may have taken its count along: never less than nothing.
    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            switches: self.switches.saturating_sub(earlier.switches),
            faults: self.faults.saturating_sub(earlier.faults),
        }
    }
}

/// Resident memory.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) rss_bytes: u64,
    pub(crate) peak_bytes: u64,
}

/// A process together with its descendants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessTree {
    pid: u32,
}

impl ProcessTree {
    /// # Errors
    ///
    /// There is no such process, or it is not ours to look at.
    pub(crate) fn new(pid: u32) -> Result<Self> {
        stat(pid).map_err(|error| Error::unexpected(format!("process {pid}: {error}")))?;
        Ok(Self { pid })
    }

    pub(crate) fn pid(self) -> u32 {
        self.pid
    }

    /// The cost of all threads of all its processes, and of those children that it has waited for.
    pub(crate) fn usage(self) -> Usage {
        self.processes().into_iter().fold(Usage::default(), |sum, pid| {
            let (own, waited) = stat(pid).unwrap_or_default();
            sum + own + waited + Usage { switches: switches(pid), ..Usage::default() }
        })
    }

    pub(crate) fn memory(self) -> Memory {
        self.processes().into_iter().fold(Memory::default(), |sum, pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            Memory {
                rss_bytes: sum.rss_bytes + 1024 * number_after(&status, "VmRSS:"),
                peak_bytes: sum.peak_bytes + 1024 * number_after(&status, "VmHWM:"),
            }
        })
    }

    /// Lets the peak start again from the present size; where we may not, it remains the peak since the process began.
    pub(crate) fn reset_peak(self) {
        for pid in self.processes() {
            drop(fs::write(format!("/proc/{pid}/clear_refs"), "5"));
        }
    }

    /// What it has caused to be written to disks so far; `None` where we may not know.
    pub(crate) fn written_bytes(self) -> Option<u64> {
        let of_process = |pid| {
            let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
            Some(number_after(&io, "\nwrite_bytes:"))
        };
        self.processes().into_iter().map(of_process).sum()
    }

    /// How many files, and so sockets, the process may open.
    pub(crate) fn files_max(self) -> u64 {
        files_max(&self.pid.to_string())
    }

    fn processes(self) -> Vec<u32> {
        let mut found = vec![self.pid];
        let mut next = 0;
        while let Some(&pid) = found.get(next) {
            found.extend(tasks(pid).flat_map(|task| {
                let children = fs::read_to_string(task.join("children")).unwrap_or_default();
                children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()).collect::<Vec<_>>()
            }));
            next += 1;
        }
        found
    }
}

/// CPU time of this process itself, without the broker that it may have started.
pub(crate) fn own_usage() -> Usage {
    stat(std::process::id()).unwrap_or_default().0
}

/// How many files, and so sockets, this process may open.
pub(crate) fn own_files_max() -> u64 {
    files_max("self")
}

/// Raises our own limit on open files, and that of the brokers started from here, as far as we may.
pub(crate) fn raise_files_max() {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let hard = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().nth(1));
    let Some(hard) = hard else { return };
    let us = format!("--pid={}", std::process::id());
    // Where there is no such program, the scenario that needs it says how many connections it could open.
    drop(Command::new("prlimit").args([&us, &format!("--nofile={hard}:{hard}")]).status());
}

fn files_max(process: &str) -> u64 {
    number_after(&fs::read_to_string(format!("/proc/{process}/limits")).unwrap_or_default(), "Max open files")
}

/// Page faults, user and system time of a process, and of the children that it has waited for.
fn stat(pid: u32) -> std::io::Result<(Usage, Usage)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses, which may itself hold anything.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = after_name.split_whitespace().skip(7).map(|field| field.parse::<u64>().unwrap_or(0));
    let mut next = || fields.next().unwrap_or_default();
    let [minor, waited_minor, major, waited_major] = [next(), next(), next(), next()];
    let mut time = || TICK * u32::try_from(next()).unwrap_or(u32::MAX);
    let own = Usage { user: time(), system: time(), switches: 0, faults: minor + major };
    let waited = Usage { user: time(), system: time(), switches: 0, faults: waited_minor + waited_major };
    Ok((own, waited))
}

fn switches(pid: u32) -> u64 {
    let of_task = |task: &Path| {
        let status = fs::read_to_string(task.join("status")).unwrap_or_default();
        number_after(&status, "\nvoluntary_ctxt_switches:") + number_after(&status, "nonvoluntary_ctxt_switches:")
    };
    tasks(pid).map(|task| of_task(&task)).sum()
}

fn tasks(pid: u32) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn number_after(text: &str, label: &str) -> u64 {
    let rest = text.split_once(label).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

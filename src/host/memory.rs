//! How much memory the process may use: what the machine has, or the smallest limit of the control groups that it is in.
//!
//! Groups are nested, and each bounds all that are in it, so the whole path counts from the process's own group up. A limit may be
//! in version 1 of the interface or in version 2; both may be mounted.

use std::path::{Path, PathBuf};

/// Reads a file, if it is there.
pub(super) type ReadFile<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// What the process may use, in bytes; `None` when nothing tells.
pub(super) fn limit_bytes(read: ReadFile<'_>) -> Option<u64> {
    let total = read(Path::new("/proc/meminfo")).and_then(|text| bytes_of(&text, "MemTotal:"));
    group_limit_bytes(read).into_iter().chain(total).min()
}

/// What the process takes, without files of which the system keeps copies.
pub(super) fn resident_bytes(read: ReadFile<'_>) -> Option<u64> {
    bytes_of(&read(Path::new("/proc/self/status"))?, "VmRSS:")
}

/// The smallest limit of the control groups.
fn group_limit_bytes(read: ReadFile<'_>) -> Option<u64> {
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let mounts = mounts.lines().filter_map(Mount::parse);
    mounts.filter_map(|mount| mount.smallest_limit(mount.group(&groups)?, read)).min()
}

/// Where groups that limit memory are found.
struct Mount {
    /// Which group is mounted: not the first one of all in a container.
    root: String,
    point: String,
    /// Names of files with limits. Above `memory.high` a process is slowed down until it hardly runs.
    limits: &'static [&'static str],
    is_version_1: bool,
}

impl Mount {
    /// A line `36 35 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw`; the options at its end name a controller in version 1.
    fn parse(line: &str) -> Option<Self> {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(3).map(unescaped);
        let (root, point) = (front.next()?, front.next()?);
        let mut back = back.split(' ');
        let (kind, options) = (back.next()?, back.nth(1)?);
        match kind {
            "cgroup2" => Some(Self { root, point, limits: &["memory.max", "memory.high"], is_version_1: false }),
            "cgroup" if options.split(',').any(|option| option == "memory") => {
                Some(Self { root, point, limits: &["memory.limit_in_bytes"], is_version_1: true })
            }
            _ => None,
        }
    }

    /// The path of the process's group: in a line `0::/path` in version 2, `9:memory:/path` in version 1.
    fn group<'a>(&self, groups: &'a str) -> Option<&'a str> {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let is_it = match self.is_version_1 {
                true => controllers.split(',').any(|controller| controller == "memory"),
                false => controllers.is_empty(),
            };
            is_it.then_some(path)
        })
    }

    fn smallest_limit(&self, group: &str, read: ReadFile<'_>) -> Option<u64> {
        let below = group.strip_prefix(self.root.trim_end_matches('/')).unwrap_or(group);
        // A path that leads out of what is mounted cannot be followed; then only the mounted group is looked at.
        let names = below.split('/').filter(|name| !name.is_empty());
        let names: Vec<&str> = if below.split('/').any(|name| name == "..") { Vec::new() } else { names.collect() };
        let mut directory = PathBuf::from(&self.point);
        let mut smallest = self.limit_of(&directory, read);
        for name in names {
            directory.push(name);
            smallest = smallest.into_iter().chain(self.limit_of(&directory, read)).min();
        }
        smallest
    }

    /// `max`, or in version 1 a number beyond all memory, is none.
    fn limit_of(&self, directory: &Path, read: ReadFile<'_>) -> Option<u64> {
        let limits = self.limits.iter().filter_map(|name| read(&directory.join(name))?.trim().parse().ok());
        limits.min()
    }
}

/// A path as it is, of which `mountinfo` writes blanks and backslashes as `\040` and their like: the groups of systemd have `\x2d` in
/// their names.
fn unescaped(path: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    // The backslash comes last, or one that it leaves would be taken for the beginning of another.
    escapes.iter().fold(path.to_owned(), |path, (escape, plain)| path.replace(escape, plain))
}

/// A line such as `MemTotal:       24579096 kB`.
fn bytes_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION_2: &str = "36 35 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
    const VERSION_1: &str = "40 35 0:34 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                             41 35 0:35 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
    const MIB: u64 = 1 << 20;

    fn limit(files: &[(&str, &str)]) -> Option<u64> {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        limit_bytes(&read).map(|bytes| bytes / MIB)
    }

    #[test]
    fn the_smallest_limit_on_the_path_counts() {
        let files = |own, slice| {
            limit(&[
                ("/proc/meminfo", "MemTotal:       1048576 kB\nMemFree: 1 kB\n"),
                ("/proc/self/cgroup", "0::/system.slice/leveret.service\n"),
                ("/proc/self/mountinfo", VERSION_2),
                ("/sys/fs/cgroup/system.slice/memory.max", slice),
                ("/sys/fs/cgroup/system.slice/leveret.service/memory.max", own),
            ])
        };
        assert_eq!(files("314572800\n", "max\n"), Some(300));
        assert_eq!(files("max\n", "314572800\n"), Some(300));
        assert_eq!(files("524288000\n", "314572800\n"), Some(300));
        assert_eq!(files("max\n", "max\n"), Some(1024));
        assert_eq!(files("9999999999\n", "max\n"), Some(1024), "more than there is");
    }

    #[test]
    fn a_limit_above_which_the_process_is_slowed_down_counts() {
        assert_eq!(
            limit(&[
                ("/proc/self/cgroup", "0::/a\n"),
                ("/proc/self/mountinfo", VERSION_2),
                ("/sys/fs/cgroup/a/memory.max", "314572800"),
                ("/sys/fs/cgroup/a/memory.high", "209715200"),
            ]),
            Some(200)
        );
    }

    #[test]
    fn version_1_counts_beside_version_2() {
        let files = |limit_1| {
            limit(&[
                ("/proc/self/cgroup", "9:cpu,memory:/docker/x\n0::/\n"),
                ("/proc/self/mountinfo", &format!("{VERSION_2}{VERSION_1}")),
                ("/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", limit_1),
                ("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "419430400"),
                ("/sys/fs/cgroup/cpu/docker/x/memory.limit_in_bytes", "1"),
            ])
        };
        assert_eq!(files("209715200\n"), Some(200));
        assert_eq!(files("9223372036854771712\n"), Some(400));
    }

    #[test]
    fn in_a_container_the_mounted_group_is_its_own() {
        let files = |group| {
            limit(&[
                ("/proc/self/cgroup", group),
                ("/proc/self/mountinfo", "36 35 0:30 /pod/x /sys/fs/cgroup ro - cgroup2 cgroup ro\n"),
                ("/sys/fs/cgroup/memory.max", "314572800"),
                ("/sys/fs/cgroup/own/memory.max", "209715200"),
            ])
        };
        assert_eq!(files("0::/pod/x\n"), Some(300));
        assert_eq!(files("0::/pod/x/own\n"), Some(200));
        assert_eq!(files("0::/../elsewhere\n"), Some(300), "out of sight");
    }

    #[test]
    fn names_with_blanks_and_backslashes_are_found() {
        let files = |mounts| {
            limit(&[
                ("/proc/self/cgroup", "0::/machine-lxc\\x2d1.scope/own 040\n"),
                ("/proc/self/mountinfo", mounts),
                ("/mnt/c g/machine-lxc\\x2d1.scope/own 040/memory.max", "314572800"),
                ("/cg/own 040/memory.max", "209715200"),
            ])
        };
        assert_eq!(files("69 46 0:38 / /mnt/c\\040g rw - cgroup2 none rw\n"), Some(300));
        assert_eq!(files("69 46 0:38 /machine-lxc\\134x2d1.scope /cg rw - cgroup2 none rw\n"), Some(200));
    }

    #[test]
    fn what_the_process_takes_is_read() {
        let status = "Name:\tleveret\nVmHWM:\t  902400 kB\nVmRSS:\t  307200 kB\n";
        assert_eq!(
            resident_bytes(&|path| (path == Path::new("/proc/self/status")).then(|| status.to_owned())),
            Some(300 * MIB)
        );
        assert_eq!(resident_bytes(&|_| None), None);
    }

    #[test]
    fn where_nothing_tells_there_is_no_limit() {
        assert_eq!(limit(&[]), None);
        assert_eq!(limit(&[("/proc/meminfo", "nothing")]), None);
        assert_eq!(limit(&[("/proc/meminfo", "MemTotal: 2048 kB\n")]), Some(2));
    }
}

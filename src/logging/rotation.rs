//! When a file of the log is rotated, and what its older parts are called: RabbitMQ's names, of which `.0` is the newest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::config::{FileBytes, FileCount, RotationDate};
use crate::host;

/// The group may read the log, as it may that of RabbitMQ.
pub(super) const MODE: u32 = 0o640;

/// When a file is rotated, and what is kept of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotation {
    /// When it would get larger than this.
    pub(super) size: Option<FileBytes>,
    /// At such a time.
    pub(super) date: Option<RotationDate>,
    /// How many rotated files are kept.
    pub(super) count: FileCount,
    /// Whether they are compressed.
    pub(super) is_compressed: bool,
}

impl Rotation {
    /// Whether files are rotated here, and not by somebody else.
    pub(super) const fn is_own(&self) -> bool {
        self.size.is_some() || self.date.is_some()
    }

    /// Whether a file must be rotated before a line is written to it. It holds so many bytes, and was written to first, or
    /// last before the broker was started, at `since_ms`.
    pub(super) fn is_due(&self, file_bytes: u64, line_bytes: u64, since_ms: u64, now_ms: u64) -> bool {
        let is_too_large = |size: FileBytes| file_bytes > 0 && file_bytes.saturating_add(line_bytes) > size.0;
        self.size.is_some_and(is_too_large) || self.date.is_some_and(|date| since_ms < date.last_due_ms(now_ms))
    }

    /// Moves a file, which nobody writes to, among the rotated ones, and removes the oldest of them.
    ///
    /// # Errors
    /// The file system's. Then the file is where it was, or has its new name and is not compressed.
    pub(super) fn rotate(&self, path: &Path) -> io::Result<()> {
        let Some(oldest) = self.count.0.checked_sub(1) else { return fs::remove_file(path) };
        for number in oldest.. {
            let files = ["", ".gz"].map(|ending| rotated(path, number, ending));
            // Which of the two it is depends on how it was configured when it was rotated.
            if files.map(fs::remove_file).iter().all(Result::is_err) {
                break;
            }
        }
        for number in (0..oldest).rev() {
            for ending in ["", ".gz"] {
                let (from, to) = (rotated(path, number, ending), rotated(path, number + 1, ending));
                if from.exists() {
                    fs::rename(from, to)?;
                }
            }
        }
        let newest = rotated(path, 0, "");
        fs::rename(path, &newest)?;
        if !self.is_compressed {
            return Ok(());
        }
        compress(&newest, &rotated(path, 0, ".gz"))?;
        fs::remove_file(newest)
    }
}

fn rotated(path: &Path, number: u16, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}{ending}"));
    PathBuf::from(name)
}

fn compress(from: &Path, to: &Path) -> io::Result<()> {
    let made = host::with_mode(OpenOptions::new().write(true).create(true).truncate(true), MODE).open(to)?;
    let mut encoder = GzEncoder::new(made, Compression::default());
    let copied = io::copy(&mut BufReader::new(File::open(from)?), &mut encoder);
    // A part of it would only be taken for the whole.
    copied.and_then(|_| encoder.finish()).map(drop).inspect_err(|_| drop(fs::remove_file(to)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    use flate2::read::GzDecoder;

    const HOUR_MS: u64 = 3_600_000;

    const NEVER: Rotation = Rotation { size: None, date: None, count: FileCount(2), is_compressed: false };

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("leveret-rotation-{}-{name}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_file_is_rotated_before_it_is_too_large_and_when_the_day_ends() {
        let by_size = Rotation { size: Some(FileBytes(100)), ..NEVER };
        assert!(!by_size.is_due(90, 10, 0, 0) && by_size.is_due(91, 10, 0, 0));
        assert!(!by_size.is_due(0, 1_000, 0, 0), "a long line does not rotate an empty file");
        let by_date = Rotation { date: Some(RotationDate::Daily(0)), ..NEVER };
        assert!(!by_date.is_due(1, 1, HOUR_MS, 23 * HOUR_MS) && by_date.is_due(1, 1, 23 * HOUR_MS, 24 * HOUR_MS));
        assert!(!by_date.is_due(1, 1, 24 * HOUR_MS, 25 * HOUR_MS), "once");
        assert!(!NEVER.is_due(u64::MAX, 1, 0, u64::MAX) && !NEVER.is_own());
    }

    #[test]
    fn rotated_files_have_numbers_and_the_oldest_goes() {
        let directory = scratch("numbers");
        let path = directory.join("a.log");
        for text in ["one", "two", "three"] {
            fs::write(&path, text).unwrap();
            NEVER.rotate(&path).unwrap();
        }
        let names = || {
            let mut names: Vec<_> = fs::read_dir(&directory).unwrap().map(|file| file.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(), ["a.log.0", "a.log.1"]);
        assert_eq!(fs::read(directory.join("a.log.0")).unwrap(), b"three");
        assert_eq!(fs::read(directory.join("a.log.1")).unwrap(), b"two");

        fs::write(&path, "four").unwrap();
        Rotation { count: FileCount(0), ..NEVER }.rotate(&path).unwrap();
        assert_eq!(names(), ["a.log.0", "a.log.1"], "it is not kept, and the others are not touched");
        fs::write(&path, "five").unwrap();
        Rotation { count: FileCount(1), is_compressed: true, ..NEVER }.rotate(&path).unwrap();
        assert_eq!(names(), ["a.log.0.gz"], "fewer are to be kept now");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_compressed_file_holds_the_same() {
        let directory = scratch("gzip");
        let path = directory.join("a.log");
        fs::write(&path, "line\n".repeat(10_000)).unwrap();
        Rotation { is_compressed: true, ..NEVER }.rotate(&path).unwrap();
        let mut text = String::new();
        GzDecoder::new(File::open(directory.join("a.log.0.gz")).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "line\n".repeat(10_000));
        assert!(!path.exists() && !directory.join("a.log.0").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(directory.join("a.log.0.gz")).unwrap().permissions().mode();
            assert_eq!(mode & 0o137, 0, "others may not read it: {mode:o}");
        }
        fs::remove_dir_all(directory).unwrap();
    }
}

//! What lines of the log are written to: stderr, or a file that is rotated.
//!
//! Whatever goes wrong with a file costs lines and nothing else. A file that cannot be opened is tried again with each line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::rotation::{MODE, Rotation};
use crate::clock::Clock;
use crate::host;

/// Where lines go.
pub(super) trait LogOutput: Send + 'static {
    /// Writes one line, or several.
    ///
    /// # Errors
    /// Those of the system: the lines are lost.
    fn write(&mut self, lines: &[u8]) -> io::Result<()>;

    /// Takes up again what somebody else may have moved away.
    fn reopen(&mut self) {}

    /// Rotates, if that is done here; else as [`LogOutput::reopen`].
    fn rotate(&mut self) {}

    /// Ends what is open: the program ends.
    fn close(&mut self) {}
}

/// A stream that is only written to.
#[derive(Debug)]
pub(super) struct Stream<W>(pub(super) W);

impl<W: Write + Send + 'static> LogOutput for Stream<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.0.write_all(lines)?;
        self.0.flush()
    }
}

/// A file.
#[derive(Debug)]
pub(super) struct RotatedFile {
    path: PathBuf,
    rotation: Rotation,
    clock: Clock,
    open: Option<OpenFile>,
    /// When rotating may be tried again after it failed: each line that says so would fail to rotate, too.
    try_again_ms: u64,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    bytes: u64,
    /// When it was written to first; or last, before it was opened.
    since_ms: u64,
    /// The last line ends in its middle, because no more of it could be written.
    is_torn: bool,
}

/// How long a rotation that failed is not tried again.
const PAUSE_MS: u64 = 60_000;

impl RotatedFile {
    pub(super) fn new(path: PathBuf, rotation: Rotation, clock: Clock) -> Self {
        Self { path, rotation, clock, open: None, try_again_ms: 0 }
    }

    /// Opens it, and makes the directories where it lies.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn open(&mut self) -> io::Result<()> {
        self.opened().map(drop)
    }

    fn opened(&mut self) -> io::Result<&mut OpenFile> {
        let open = match self.open.take() {
            Some(open) => open,
            None => OpenFile::at(&self.path, self.clock.now_ms())?,
        };
        Ok(self.open.insert(open))
    }

    /// Gives the file another name. If that fails, it is written to as before.
    fn move_away(&mut self) {
        self.open = None;
        if let Err(error) = self.rotation.rotate(&self.path) {
            self.try_again_ms = self.clock.now_ms() + PAUSE_MS;
            tracing::error!(path = %self.path.display(), %error, "cannot rotate the file of the log");
        }
    }
}

impl OpenFile {
    fn at(path: &Path, now_ms: u64) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = host::with_mode(OpenOptions::new().append(true).create(true), MODE).open(path)?;
        let known = file.metadata()?;
        let written = known.modified().ok().and_then(|at: SystemTime| at.duration_since(UNIX_EPOCH).ok());
        let written_ms = written.and_then(|since: Duration| u64::try_from(since.as_millis()).ok());
        let since_ms = written_ms.filter(|_| known.len() > 0).unwrap_or(now_ms);
        Ok(Self { file, bytes: known.len(), since_ms, is_torn: false })
    }
}

impl LogOutput for RotatedFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let (rotation, now_ms) = (self.rotation, self.clock.now_ms());
        let line_bytes = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let may_rotate = now_ms >= self.try_again_ms;
        let open = self.opened()?;
        if may_rotate && rotation.is_due(open.bytes, line_bytes, open.since_ms, now_ms) {
            self.move_away();
        }
        let open = self.opened()?;
        if open.is_torn {
            open.file.write_all(b"\n")?;
        }
        open.is_torn = true;
        open.file.write_all(lines)?;
        open.is_torn = false;
        open.bytes = open.bytes.saturating_add(line_bytes);
        Ok(())
    }

    fn reopen(&mut self) {
        // The next line opens it.
        self.open = None;
        self.open().ok();
    }

    fn rotate(&mut self) {
        if self.rotation.is_own() {
            self.move_away();
        }
        self.reopen();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileBytes, FileCount};

    const NEVER: Rotation = Rotation { size: None, date: None, count: FileCount(2), is_compressed: false };

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("leveret-output-{}-{name}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        path
    }

    fn file(directory: &Path, rotation: Rotation) -> RotatedFile {
        RotatedFile::new(directory.join("deep/a.log"), rotation, Clock::system())
    }

    fn text(directory: &Path, name: &str) -> String {
        fs::read_to_string(directory.join("deep").join(name)).unwrap_or_default()
    }

    #[test]
    fn a_file_continues_where_it_ended() {
        let directory = scratch("continues");
        for line in ["one\n", "two\n"] {
            file(&directory, NEVER).write(line.as_bytes()).unwrap();
        }
        assert_eq!(text(&directory, "a.log"), "one\ntwo\n");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_again() {
        let directory = scratch("moved");
        let mut log = file(&directory, NEVER);
        log.write(b"one\n").unwrap();
        fs::rename(directory.join("deep/a.log"), directory.join("deep/moved")).unwrap();
        log.write(b"two\n").unwrap();
        log.reopen();
        assert_eq!(text(&directory, "a.log"), "", "it is there at once");
        log.write(b"three\n").unwrap();
        assert_eq!((text(&directory, "moved").as_str(), text(&directory, "a.log").as_str()), ("one\ntwo\n", "three\n"));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_file_that_gets_too_large_is_rotated_and_on_demand() {
        let directory = scratch("large");
        let mut log = file(&directory, Rotation { size: Some(FileBytes(8)), ..NEVER });
        for line in ["one\n", "two\n", "three\n"] {
            log.write(line.as_bytes()).unwrap();
        }
        assert_eq!(
            (text(&directory, "a.log.0").as_str(), text(&directory, "a.log").as_str()),
            ("one\ntwo\n", "three\n")
        );
        log.rotate();
        assert_eq!((text(&directory, "a.log.0").as_str(), text(&directory, "a.log").as_str()), ("three\n", ""));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_tried_again() {
        let directory = scratch("nowhere");
        fs::write(&directory, "a file in the way").unwrap();
        let mut log = file(&directory, NEVER);
        log.write(b"lost\n").unwrap_err();
        fs::remove_file(&directory).unwrap();
        log.write(b"kept\n").unwrap();
        assert_eq!(text(&directory, "a.log"), "kept\n");
        fs::remove_dir_all(directory).unwrap();
    }

    /// What says so is a line as well, and must not try again.
    #[test]
    fn a_file_that_cannot_be_rotated_is_written_to_and_rotated_later() {
        let directory = scratch("stuck");
        let in_the_way = directory.join("deep/a.log.1/x");
        fs::create_dir_all(&in_the_way).unwrap();
        fs::create_dir_all(directory.join("deep/a.log.0/x")).unwrap();
        let (clock, hand) = Clock::manual();
        let rotation = Rotation { size: Some(FileBytes(4)), ..NEVER };
        let mut log = RotatedFile::new(directory.join("deep/a.log"), rotation, clock);
        log.write(b"one\n").unwrap();
        log.write(b"two\n").unwrap();
        fs::remove_dir_all(directory.join("deep/a.log.1")).unwrap();
        fs::remove_dir_all(directory.join("deep/a.log.0")).unwrap();
        log.write(b"three\n").unwrap();
        assert_eq!(text(&directory, "a.log"), "one\ntwo\nthree\n", "not tried again at once");
        hand.advance(Duration::from_millis(PAUSE_MS));
        log.write(b"four\n").unwrap();
        assert_eq!(
            (text(&directory, "a.log.0").as_str(), text(&directory, "a.log").as_str()),
            ("one\ntwo\nthree\n", "four\n")
        );
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_file_that_was_written_to_yesterday_is_rotated_first() {
        let directory = scratch("yesterday");
        file(&directory, NEVER).write(b"old\n").unwrap();
        let (clock, _) = Clock::manual();
        let yesterday = UNIX_EPOCH + Duration::from_millis(clock.now_ms()) - Duration::from_secs(24 * 3600);
        let old = OpenOptions::new().write(true).open(directory.join("deep/a.log")).unwrap();
        old.set_modified(yesterday).unwrap();
        let rotation = Rotation { date: Some(crate::config::RotationDate::Daily(0)), ..NEVER };
        let mut log = RotatedFile::new(directory.join("deep/a.log"), rotation, clock);
        log.write(b"new\n").unwrap();
        log.write(b"newer\n").unwrap();
        assert_eq!(
            (text(&directory, "a.log.0").as_str(), text(&directory, "a.log").as_str()),
            ("old\n", "new\nnewer\n")
        );
        fs::remove_dir_all(directory).unwrap();
    }
}

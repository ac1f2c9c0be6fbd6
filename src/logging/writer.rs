//! Writes the log on a thread of its own, so that neither a reader that stands still nor a full disk is felt by anybody else.
//!
//! **Invariant**: whoever logs never waits for the output, and never learns that it failed. What could not be written is counted, and
//! said once lines can be written again.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

use super::format::escaped;
use super::output::LogOutput;

/// Lines that wait may take so much memory.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// How long the end of the program waits for the last lines.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Takes lines; copies of it write to the same output.
#[derive(Clone, Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
}

/// Lines that are to be said although nobody logs.
pub(super) trait Unsaid: fmt::Debug + Send + Sync {
    /// Those of which nothing more is to be waited for; all of them when the log ends.
    fn take(&self, is_end: bool) -> Vec<u8>;
}

#[derive(Debug)]
struct Shared {
    unsaid: Box<dyn Unsaid>,
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that were dropped, or could not be written, and of which nothing was said yet.
    lost: u64,
    /// The thread has a line that is not written yet.
    is_writing: bool,
    /// What is to be done with the output itself before the next line.
    asked: Option<Asked>,
}

/// Something that is asked of the output. Of two the later one is done: it includes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Close,
    Reopen,
    Rotate,
}

/// What the thread does next.
enum Next {
    Write(Vec<u8>),
    Do(Asked),
    /// There was nothing to write for so long.
    SayWhatIsUnsaid,
}

impl LogWriter {
    /// Starts the thread that writes to this output. When there was nothing to write for this long, it asks once for what is unsaid.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start(
        name: &str,
        output: impl LogOutput,
        unsaid: impl Unsaid + 'static,
        quiet: Duration,
    ) -> io::Result<Self> {
        let (state, filled, emptied) = (Mutex::default(), Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { unsaid: Box::new(unsaid), state, filled, emptied });
        let writer = Self { shared: Arc::clone(&shared) };
        thread::Builder::new().name(name.to_owned()).spawn(move || shared.run(output, quiet))?;
        Ok(writer)
    }

    /// Has this said as it is read by people: one line, whatever is in it.
    pub fn tell(&self, text: &str) {
        self.say((escaped(text) + "\n").into_bytes());
    }

    /// Has a line written, unless too many wait already.
    pub(super) fn say(&self, line: Vec<u8>) {
        let mut state = self.shared.state.lock();
        if state.bytes.saturating_add(line.len()) > WAITING_BYTES_MAX {
            state.lost += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        drop(state);
        self.shared.filled.notify_one();
    }

    /// Has the output taken up again before the next line: somebody may have moved the file away.
    pub(super) fn reopen(&self) {
        self.ask(Asked::Reopen);
    }

    /// Has the output rotated, if it is one that is rotated here; else as `reopen`.
    pub(super) fn rotate(&self) {
        self.ask(Asked::Rotate);
    }

    fn ask(&self, asked: Asked) {
        let mut state = self.shared.state.lock();
        state.asked = state.asked.max(Some(asked));
        drop(state);
        self.shared.filled.notify_one();
    }

    /// Has said what is unsaid and the output closed, and waits as [`LogWriter::flush`] does. For the end of the program.
    pub fn end(&self) {
        self.end_within(END_PATIENCE);
    }

    fn end_within(&self, patience: Duration) {
        let lines = self.shared.unsaid.take(true);
        if !lines.is_empty() {
            self.say(lines);
        }
        if self.is_flushed_within(patience) {
            self.ask(Asked::Close);
            self.is_flushed_within(patience);
        }
    }

    /// Waits until everything is written, or for a second.
    pub fn flush(&self) {
        self.is_flushed_within(END_PATIENCE);
    }

    fn is_flushed_within(&self, patience: Duration) -> bool {
        let mut state = self.shared.state.lock();
        let is_busy = |state: &mut State| state.is_writing || !state.lines.is_empty() || state.asked.is_some();
        !self.shared.emptied.wait_while_for(&mut state, is_busy, patience).timed_out()
    }
}

impl Shared {
    fn run(&self, mut output: impl LogOutput, quiet: Duration) {
        // Nothing is left out before something is written, so an idle broker is woken once after its last line.
        let mut patience = None;
        loop {
            let next = self.next(patience);
            patience = matches!(next, Next::Write(_)).then_some(quiet);
            let line = match next {
                Next::Write(line) => line,
                Next::SayWhatIsUnsaid => self.unsaid.take(false),
                Next::Do(asked) => {
                    match asked {
                        Asked::Close => output.close(),
                        Asked::Reopen => output.reopen(),
                        Asked::Rotate => output.rotate(),
                    }
                    Vec::new()
                }
            };
            if line.is_empty() {
                self.state.lock().is_writing = false;
                continue;
            }
            let written = output.write(&line);
            self.note(written.is_ok());
        }
    }

    /// What is to be done next. Whatever it is, something may be written now.
    fn next(&self, patience: Option<Duration>) -> Next {
        let mut state = self.state.lock();
        loop {
            if let Some(asked) = state.asked.take() {
                state.is_writing = true;
                return Next::Do(asked);
            }
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                state.is_writing = true;
                return Next::Write(line);
            }
            self.emptied.notify_all();
            match patience {
                Some(patience)
                    if self.filled.wait_for(&mut state, patience).timed_out()
                        && state.lines.is_empty()
                        && state.asked.is_none() =>
                {
                    state.is_writing = true;
                    return Next::SayWhatIsUnsaid;
                }
                Some(_) => {}
                None => self.filled.wait(&mut state),
            }
        }
    }

    fn note(&self, is_written: bool) {
        let mut state = self.state.lock();
        state.is_writing = false;
        if !is_written {
            state.lost += 1;
        } else if state.lost > 0 {
            let lost = std::mem::take(&mut state.lost);
            drop(state);
            // Said as every other line is, and so in the format of the log. There is room for it: a line has just left.
            tracing::error!(lines = lost, "the log could not be written: lines are missing");
        }
    }
}

/// Collects what belongs to one line.
#[derive(Debug)]
pub struct Line<'a> {
    writer: &'a LogWriter,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.writer.say(std::mem::take(&mut self.bytes));
        }
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { writer: self, bytes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;
    use crate::logging::output::Stream;

    /// An output whose every write waits to be told how it ends.
    struct Gate {
        ends: Receiver<bool>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.ends.recv().unwrap_or(true) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Has always one line to say.
    #[derive(Debug)]
    struct Left;

    impl Unsaid for Left {
        fn take(&self, is_end: bool) -> Vec<u8> {
            if is_end { b"all\n".to_vec() } else { b"some\n".to_vec() }
        }
    }

    const NEVER: Duration = Duration::from_secs(1 << 32);
    /// A busy machine may leave a thread without a processor for seconds.
    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn what_is_unsaid_is_said_once_after_the_last_line_and_at_the_end() {
        for (quiet, expected) in [(Duration::from_millis(1), "line\nsome\nall\n"), (NEVER, "line\nall\n")] {
            let (tell, ends) = sync_channel(0);
            let written = Arc::default();
            let writer =
                LogWriter::start("t", Stream(Gate { ends, written: Arc::clone(&written) }), Left, quiet).unwrap();
            writer.say(b"line\n".to_vec());
            // It is taken when the line is written; then for the line that comes when it is quiet.
            (1..expected.lines().count()).for_each(|_| tell.send(true).unwrap());
            drop(tell);
            writer.end_within(LONG);
            assert_eq!(String::from_utf8(written.lock().clone()).unwrap(), expected);
        }
    }

    /// Says what is done with it.
    struct Told(SyncSender<&'static str>);

    impl LogOutput for Told {
        fn write(&mut self, _: &[u8]) -> io::Result<()> {
            self.0.send("write").map_err(io::Error::other)
        }

        fn reopen(&mut self) {
            self.0.send("reopen").unwrap();
        }

        fn rotate(&mut self) {
            self.0.send("rotate").unwrap();
        }

        fn close(&mut self) {
            self.0.send("close").unwrap();
        }
    }

    #[test]
    fn an_output_is_closed_after_the_last_line() {
        let (tell, told) = sync_channel(8);
        let writer = LogWriter::start("t", Told(tell), Left, NEVER).unwrap();
        writer.say(b"one\n".to_vec());
        writer.end_within(LONG);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["write", "write", "close"], "the last one is what was unsaid");
    }

    #[test]
    fn an_output_is_reopened_without_a_line_and_before_the_next_one() {
        let (tell, told) = sync_channel(0);
        let writer = LogWriter::start("t", Told(tell), Left, NEVER).unwrap();
        writer.reopen();
        assert_eq!(told.recv(), Ok("reopen"));
        writer.say(b"one\n".to_vec());
        writer.say(b"two\n".to_vec());
        writer.rotate();
        writer.reopen();
        let mut done: Vec<_> = (0..3).map(|_| told.recv().unwrap()).collect();
        done.sort_unstable();
        assert_eq!(done, ["rotate", "write", "write"], "a rotation opens the file again, too");
    }

    fn gated() -> (LogWriter, SyncSender<bool>, Arc<Mutex<Vec<u8>>>) {
        let (tell, ends) = sync_channel(0);
        let written = Arc::default();
        let gate = Gate { ends, written: Arc::clone(&written) };
        (LogWriter::start("t", Stream(gate), Left, NEVER).unwrap(), tell, written)
    }

    fn logged_with(writer: &LogWriter) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(
            tracing_subscriber::fmt().with_writer(writer.clone()).with_ansi(false).finish(),
        )
    }

    #[test]
    fn an_output_that_stands_still_makes_nobody_wait_and_keeps_little() {
        let (writer, tell, written) = gated();
        let line = vec![b'.'; 1000];
        for _ in 0..10_000 {
            writer.say(line.clone());
        }
        let state = writer.shared.state.lock();
        assert!(state.bytes <= WAITING_BYTES_MAX);
        let kept = state.lines.len() + usize::from(state.is_writing);
        assert_eq!(kept as u64 + state.lost, 10_000);
        drop(state);
        drop(tell);
        assert!(writer.is_flushed_within(LONG));
        assert_eq!(written.lock().len(), kept * line.len());
    }

    #[test]
    fn what_is_lost_is_counted() {
        let (writer, tell, written) = gated();
        for _ in 0..3 {
            writer.say(b"lost\n".to_vec());
            tell.send(false).unwrap();
        }
        drop(tell);
        assert!(writer.is_flushed_within(LONG));
        assert_eq!(writer.shared.state.lock().lost, 3);
        assert!(written.lock().is_empty());
    }

    #[test]
    fn what_was_lost_is_said_once_it_can_be() {
        let (writer, _, written) = gated();
        writer.shared.state.lock().lost = 3;
        let _guard = logged_with(&writer);
        writer.shared.note(true);
        assert!(writer.is_flushed_within(LONG));
        let written = String::from_utf8(written.lock().clone()).unwrap();
        assert!(written.contains("the log could not be written: lines are missing lines=3\n"), "{written}");
        assert_eq!(writer.shared.state.lock().lost, 0);
    }
}

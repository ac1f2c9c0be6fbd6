//! What the machine itself takes, without a broker: to sync a disk, and for a message to go there and back. On an idle processor,
//! to be woken costs more than anything that a broker does in between.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::Result;
use crate::scenario::unique_name;
use crate::target::Target;

/// What a log writes for a small message, for comparison: a block.
const BLOCK_BYTES: usize = 4096;

/// A log writes into space that it has reserved, else every sync would also write the file's length.
const RESERVED_BLOCKS: usize = 4096;

/// A file that is written and synced as a log would be.
#[derive(Debug)]
pub(crate) struct Disk {
    file: File,
    path: PathBuf,
}

impl Disk {
    pub(crate) fn new(target: &Target) -> Result<Self> {
        let path = target.disk().join(unique_name("sync"));
        let mut file = File::create(&path)?;
        (0..RESERVED_BLOCKS).try_for_each(|_| file.write_all(&[0; BLOCK_BYTES]))?;
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { file, path })
    }

    pub(crate) fn write_and_sync(&mut self) -> io::Result<()> {
        if self.file.stream_position()? >= u64::try_from(RESERVED_BLOCKS * BLOCK_BYTES).unwrap_or(u64::MAX) {
            self.file.seek(SeekFrom::Start(0))?;
        }
        self.file.write_all(&[1; BLOCK_BYTES])?;
        self.file.sync_data()
    }
}

impl Drop for Disk {
    /// Nobody is left to be told.
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// A thread behind a TCP connection that sends back what it receives. Dropping this ends it.
#[derive(Debug)]
pub(crate) struct Echo {
    stream: TcpStream,
    message: Vec<u8>,
    thread: JoinHandle<io::Result<Duration>>,
}

impl Echo {
    /// One that answers at once: the least that a message can take, for its receiver and then its sender must be woken.
    pub(crate) fn new(message_bytes: usize) -> Result<Self> {
        Self::start(message_bytes, || Ok(()))
    }

    /// One that answers when another thread has synced a disk, like a broker that does not stop for all others meanwhile: four
    /// threads are woken, one after the other.
    pub(crate) fn synced(message_bytes: usize, mut disk: Disk) -> Result<Self> {
        let (received, to_sync) = channel();
        let (synced, to_answer) = channel();
        thread::spawn(move || while to_sync.recv().is_ok() && synced.send(disk.write_and_sync()).is_ok() {});
        Self::start(message_bytes, move || {
            received.send(()).map_err(io::Error::other)?;
            to_answer.recv().map_err(io::Error::other)?
        })
    }

    fn start(message_bytes: usize, mut work: impl FnMut() -> io::Result<()> + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let (mut behind, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        behind.set_nodelay(true)?;
        let thread = thread::spawn(move || {
            let mut message = vec![0; message_bytes];
            while behind.read_exact(&mut message).is_ok() {
                work()?;
                behind.write_all(&message)?;
            }
            cpu_of_this_thread()
        });
        Ok(Self { stream, message: vec![0; message_bytes], thread })
    }

    /// A message there and back.
    pub(crate) fn round(&mut self) -> Result<()> {
        self.stream.write_all(&self.message)?;
        Ok(self.stream.read_exact(&mut self.message)?)
    }
    /// The CPU time of the thread that answered, with that of the kernel for it.
    pub(crate) fn end(self) -> Result<Duration> {
        drop(self.stream);
        match self.thread.join() {
            Ok(cpu) => Ok(cpu?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn cpu_of_this_thread() -> io::Result<Duration> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = statistics.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| io::Error::other("/proc/thread-self/schedstat is not as expected"))
}

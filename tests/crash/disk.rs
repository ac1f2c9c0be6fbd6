//! A disk in memory that knows what was written and what was synced.
//!
//! Losing power keeps what was synced - contents by `sync`, names by `sync_directory` - and of the rest what chance wants: each
//! sector of a file is as old or as new as the writes to it allow, and each change of a name happened or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};

use leveret::internals::store::disk::{Disk, DiskFile};
use leveret::internals::store::failure::Call;

use crate::random::Random;

const SECTOR: usize = 512;

#[derive(Clone, Default)]
struct Inode {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Writes since the last sync: offset and bytes.
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
enum Change {
    Made(String, usize),
    Removed(String),
    Renamed(String, String, usize),
}

impl Change {
    fn directory(&self) -> &str {
        let (Self::Made(path, _) | Self::Removed(path) | Self::Renamed(_, path, _)) = self;
        path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }

    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Made(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Removed(path) => {
                names.remove(path);
            }
            Self::Renamed(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }
}

/// What goes wrong at which of the calls that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power is gone from this call on.
    Power { at: u64 },
    /// This call fails, and no other.
    Broken { at: u64 },
    /// There is no space for `calls` calls; writes are done in part.
    Full { at: u64, calls: u64 },
    /// The `at`th call of this kind, and `calls` in all, fail with this error; others do not.
    Failing { call: Call, at: u64, calls: u64, errno: i32 },
}

/// Where a file of a mixed disk comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    This,
    Other,
    Empty,
    Nowhere,
}

#[derive(Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    changes: Vec<Change>,
    calls: u64,
    /// Those of each kind.
    calls_of: BTreeMap<Call, u64>,
    /// Calls that failed.
    failed: u64,
    fault: Option<Fault>,
    is_off: bool,
}

type Hook = Box<dyn FnMut(&str) + Send>;

/// The disk.
#[derive(Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    /// Called in the middle of what the pager does, before it changes a file.
    hook: Arc<Mutex<Option<Hook>>>,
    /// Files that somebody holds open.
    open_files: Arc<()>,
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}

fn gone() -> io::Error {
    io::Error::other("the power is gone")
}

impl State {
    /// Counts a call that changes nothing; whether it may happen.
    fn look(&mut self, call: Call) -> io::Result<()> {
        if self.is_off {
            return Err(gone());
        }
        let count = self.calls_of.entry(call).or_default();
        *count += 1;
        match self.fault {
            Some(Fault::Failing { call: other, at, calls, errno })
                if other == call && (at..at + calls).contains(count) =>
            {
                self.failed += 1;
                Err(io::Error::from_raw_os_error(errno))
            }
            _ => Ok(()),
        }
    }

    /// Counts a call that changes something; whether it may happen, and if not, whether a part of it does.
    fn call(&mut self, call: Call) -> Result<(), (io::Error, bool)> {
        self.look(call).map_err(|error| (error, false))?;
        self.calls += 1;
        let needs_space = matches!(call, Call::Create | Call::Rename | Call::SyncDirectory | Call::Write);
        match self.fault {
            Some(Fault::Power { at }) if self.calls >= at => {
                self.is_off = true;
                Err((gone(), true))
            }
            Some(Fault::Broken { at }) if self.calls == at => Err((io::Error::other("the device is broken"), true)),
            Some(Fault::Full { at, calls }) if needs_space && (at..at + calls).contains(&self.calls) => {
                Err((io::ErrorKind::StorageFull.into(), true))
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }
}

fn write(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    // Most of it is written behind the end: nothing is filled with zeros only to be written over.
    let behind = data.len().min((offset + data.len()).saturating_sub(bytes.len().max(offset)));
    let (over, behind) = data.split_at(data.len() - behind);
    if bytes.len() < offset {
        bytes.resize(offset, 0);
    }
    bytes[offset..offset + over.len()].copy_from_slice(over);
    bytes.extend_from_slice(behind);
}

/// What a file is after the power was gone.
fn survive(inode: &Inode, mode: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = inode.synced.clone();
    let end = inode.unsynced.iter().map(|(offset, data)| offset + data.len()).max().unwrap_or(0);
    let start = inode.unsynced.iter().map(|(offset, _)| *offset).min().unwrap_or(0) / SECTOR * SECTOR;
    for sector in (start..end).step_by(SECTOR) {
        let touching: Vec<_> =
            inode.unsynced.iter().filter(|(at, data)| *at < sector + SECTOR && at + data.len() > sector).collect();
        let kept = match mode {
            0 => 0,
            1 => touching.len(),
            _ => random.below(touching.len() + 1),
        };
        for (at, data) in touching.into_iter().take(kept) {
            let (from, to) = ((*at).max(sector), (at + data.len()).min(sector + SECTOR));
            write(&mut bytes, from, &data[from - at..to - at]);
        }
    }
    bytes
}

impl SimDisk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    pub fn calls_of(&self, call: Call) -> u64 {
        self.lock().calls_of.get(&call).copied().unwrap_or(0)
    }

    /// How many calls failed as [`Fault::Failing`] says.
    pub fn failed(&self) -> u64 {
        self.lock().failed
    }

    /// Whether something went wrong that is not to be tried again.
    pub fn has_failed(&self) -> bool {
        let state = self.lock();
        let is_broken = matches!(state.fault, Some(Fault::Broken { at }) if state.calls >= at);
        state.is_off || is_broken || state.failed > 0
    }

    /// How many files are open.
    pub fn open_files(&self) -> usize {
        Arc::strong_count(&self.open_files) - 1
    }

    pub fn is_off(&self) -> bool {
        self.lock().is_off
    }

    pub fn set_fault(&self, fault: Option<Fault>) {
        self.lock().fault = fault;
    }

    /// Sets what happens in the middle of things; only for calls that change a segment file or a checkpoint.
    pub fn set_hook(&self, hook: Option<Hook>) {
        *self.hook.lock().unwrap() = hook;
    }

    fn run_hook(&self, path: &str) {
        if path.starts_with("wal") {
            return;
        }
        let taken = self.hook.lock().unwrap().take();
        if let Some(mut hook) = taken {
            hook(path);
            *self.hook.lock().unwrap() = Some(hook);
        }
    }

    /// The same files, as a process finds them that takes over without a loss of power.
    pub fn copy(&self) -> Arc<Self> {
        let mut state = self.lock().clone();
        (state.fault, state.is_off, state.calls, state.failed) = (None, false, 0, 0);
        state.calls_of.clear();
        Arc::new(Self { state: Arc::new(Mutex::new(state)), hook: Arc::default(), open_files: Arc::default() })
    }

    /// What is left when the power is gone.
    pub fn power_loss(&self, random: &mut Random) -> Arc<Self> {
        let state = self.lock();
        let mut names = state.synced_names.clone();
        let mode = random.below(4);
        for change in &state.changes {
            if mode == 1 || mode > 1 && random.one_in(2) {
                change.apply(&mut names);
            }
        }
        let mut inodes = Vec::new();
        for number in names.values_mut() {
            let bytes = survive(&state.inodes[*number], mode, random);
            *number = inodes.len();
            inodes.push(Inode { now: bytes.clone(), synced: bytes, unsynced: Vec::new() });
        }
        let state = State { inodes, synced_names: names.clone(), names, ..State::default() };
        Arc::new(Self { state: Arc::new(Mutex::new(state)), hook: Arc::default(), open_files: Arc::default() })
    }

    /// Files of this disk and of another one, as `pick` says for each name. All of it is synced.
    pub fn mix(&self, other: &Self, mut pick: impl FnMut(&str) -> From) -> Arc<Self> {
        let (here, there) = (self.contents(), other.contents());
        let mut mixed = State::default();
        let paths: BTreeSet<_> = here.keys().chain(there.keys()).collect();
        for path in paths {
            let bytes = match pick(path) {
                From::This => here.get(path).cloned(),
                From::Other => there.get(path).cloned(),
                From::Empty => Some(Vec::new()),
                From::Nowhere => None,
            };
            if let Some(bytes) = bytes {
                mixed.names.insert(path.clone(), mixed.inodes.len());
                mixed.inodes.push(Inode { now: bytes.clone(), synced: bytes, unsynced: Vec::new() });
            }
        }
        mixed.synced_names = mixed.names.clone();
        Arc::new(Self { state: Arc::new(Mutex::new(mixed)), hook: Arc::default(), open_files: Arc::default() })
    }

    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.lock();
        state.names.iter().map(|(path, inode)| (path.clone(), state.inodes[*inode].now.clone())).collect()
    }

    /// Gives each of two files the other's name.
    pub fn swap(&self, one: &str, other: &str) {
        let mut state = self.lock();
        let (first, second) = (state.names[one], state.names[other]);
        state.names.insert(one.to_owned(), second);
        state.names.insert(other.to_owned(), first);
    }

    /// The files and their lengths.
    pub fn files(&self) -> Vec<(String, usize)> {
        let state = self.lock();
        state.names.iter().map(|(path, inode)| (path.clone(), state.inodes[*inode].now.len())).collect()
    }

    /// Damages a file.
    pub fn flip(&self, path: &str, offset: usize, bit: usize) {
        let mut state = self.lock();
        let inode = state.names[path];
        state.inodes[inode].now[offset] ^= 1 << bit;
    }
}

impl Disk for SimDisk {
    fn create_directory(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        if create {
            self.run_hook(path);
        }
        let mut state = self.lock();
        let inode = match state.names.get(path).copied() {
            Some(inode) => {
                state.look(Call::Open)?;
                inode
            }
            None if create => {
                state.call(Call::Create).map_err(|(error, _)| error)?;
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.change(Change::Made(path.to_owned(), inode));
                inode
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let (state, hook) = (Arc::clone(&self.state), Arc::clone(&self.hook));
        let open_files = Arc::clone(&self.open_files);
        Ok(Arc::new(SimFile { disk: Self { state, hook, open_files }, path: path.to_owned(), inode }))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let mut state = self.lock();
        state.look(Call::List)?;
        let prefix = format!("{directory}/");
        Ok(state.names.keys().filter_map(|path| path.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.run_hook(path);
        let mut state = self.lock();
        if state.names.contains_key(path) {
            state.call(Call::Remove).map_err(|(error, _)| error)?;
            state.change(Change::Removed(path.to_owned()));
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.run_hook(to);
        let mut state = self.lock();
        state.call(Call::Rename).map_err(|(error, _)| error)?;
        let inode = *state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        state.change(Change::Renamed(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn link(&self, file: &str, name: &str) -> io::Result<()> {
        self.run_hook(name);
        let mut state = self.lock();
        state.call(Call::Create).map_err(|(error, _)| error)?;
        let inode = *state.names.get(file).ok_or(io::ErrorKind::NotFound)?;
        state.change(Change::Made(name.to_owned(), inode));
        Ok(())
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        self.run_hook(path);
        let mut state = self.lock();
        state.call(Call::SyncDirectory).map_err(|(error, _)| error)?;
        let changes = std::mem::take(&mut state.changes);
        for change in changes {
            if change.directory() == path {
                change.apply(&mut state.synced_names);
            } else {
                state.changes.push(change);
            }
        }
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.lock().look(Call::FreeBytes)?;
        Ok(u64::MAX)
    }

    fn describe(&self, path: &str) -> String {
        path.to_owned()
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: String,
    inode: usize,
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.lock();
        state.look(Call::Read)?;
        let bytes = &state.inodes[self.inode].now;
        let start = bytes.len().min(offset as usize);
        let end = bytes.len().min(start + buffer.len());
        buffer[..end - start].copy_from_slice(&bytes[start..end]);
        Ok(end - start)
    }

    fn write_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.disk.run_hook(&self.path);
        let mut data: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let mut state = self.disk.lock();
        let result = state.call(Call::Write);
        match &result {
            Err((_, false)) => data.clear(),
            // A part of it, so that nobody relies on all or nothing.
            Err((_, true)) => data.truncate(data.len() * (offset as usize % 3) / 3),
            Ok(()) => {}
        }
        if !data.is_empty() {
            let inode = &mut state.inodes[self.inode];
            write(&mut inode.now, offset as usize, &data);
            inode.unsynced.push((offset as usize, data));
        }
        result.map_err(|(error, _)| error)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.run_hook(&self.path);
        let mut state = self.disk.lock();
        let call = if self.path.starts_with("wal") { Call::SyncLog } else { Call::SyncNew };
        let result = state.call(call).map_err(|(error, _)| error);
        let is_off = state.is_off;
        let inode = &mut state.inodes[self.inode];
        if result.is_ok() {
            for (offset, data) in std::mem::take(&mut inode.unsynced) {
                write(&mut inode.synced, offset, &data);
            }
        } else if !is_off {
            // What a failed sync leaves behind is lost, although it can be read as long as there is power.
            inode.unsynced.clear();
        }
        result
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.lock().inodes[self.inode].now.len() as u64)
    }
}

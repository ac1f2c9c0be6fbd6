//! The certificates that are used now, which change when their files do.
//!
//! The files are looked at when a client comes, at most once in [`LOOK_MS`], so that an idle broker does nothing. What is new and
//! holds together is used from then on; what does not is reported once, and the old certificates stay.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;

use super::files::{LoadedTls, ShownCertificate, TlsFault, TlsField, TlsFilesError, load};
use super::{TlsSettings, Verify};
use crate::clock::Clock;

/// How long files are believed to be as they were.
const LOOK_MS: u64 = 2_000;
/// It is said so long before a certificate ends.
const SOON_S: i64 = 14 * 24 * 3600;

/// The certificates of one set of files.
#[derive(Debug)]
pub(crate) struct Certificates {
    settings: TlsSettings,
    clock: Clock,
    loaded: RwLock<LoadedTls>,
    look_again_ms: AtomicU64,
    /// How the files looked when they were read last. Locked while they are read, which happens on threads that may wait.
    seen: Mutex<Vec<Seen>>,
}

/// How a file looked; `None` when it could not be looked at.
type Seen = Option<(SystemTime, u64)>;

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong, and with which of them.
    pub(crate) fn load(settings: TlsSettings, clock: Clock) -> Result<Arc<Self>, (TlsField, TlsFilesError)> {
        // Before they are read: what changes while they are read counts as a change later.
        let seen = look(&settings);
        let loaded = load(&settings).map_err(|TlsFault { field, error }| (field, error))?;
        let look_again_ms = AtomicU64::new(clock.now_ms() + LOOK_MS);
        let (loaded, seen) = (RwLock::new(loaded), Mutex::new(seen));
        let certificates = Self { settings, clock, loaded, look_again_ms, seen };
        certificates.warn_of_faults();
        Ok(Arc::new(certificates))
    }

    /// What a new connection is to use.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.loaded.read().config)
    }

    /// Whether clients are asked for certificates.
    pub(crate) fn verifies_peer(&self) -> bool {
        self.settings.verify == Verify::Peer
    }

    /// The last second, since 1970, in which all of the broker's certificates hold.
    pub(crate) fn valid_until_s(&self) -> i64 {
        self.loaded.read().shown.iter().map(|shown| shown.valid_s.1).min().unwrap_or(i64::MAX)
    }

    /// The same for people.
    pub(crate) fn valid_until(&self) -> String {
        date(self.valid_until_s())
    }

    /// Whether it is time to call [`Certificates::refresh`]. True for one caller only.
    pub(crate) fn is_look_due(&self) -> bool {
        let (now_ms, due_ms) = (self.clock.now_ms(), self.look_again_ms.load(Ordering::Relaxed));
        now_ms >= due_ms
            && self
                .look_again_ms
                .compare_exchange(due_ms, now_ms + LOOK_MS, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Reads the files again if they look different. Waits for the disk.
    pub(crate) fn refresh(&self) {
        let mut seen = self.seen.lock();
        let now = look(&self.settings);
        if *seen != now {
            // Also if they cannot be used: that is said once, and they are read again when they change again.
            *seen = now;
            self.read_again();
        }
    }

    /// Reads the files again. Waits for the disk.
    pub(crate) fn reload(&self) {
        let mut seen = self.seen.lock();
        *seen = look(&self.settings);
        self.read_again();
    }

    fn read_again(&self) {
        match load(&self.settings) {
            Ok(loaded) => {
                for ShownCertificate { file, subject, .. } in &loaded.shown {
                    tracing::info!(subject, "certificates read again from {}", file.display());
                }
                *self.loaded.write() = loaded;
                self.warn_of_faults();
            }
            Err(TlsFault { error, .. }) => {
                tracing::error!(%error, "new certificates cannot be used: the old ones stay in use");
            }
        }
    }

    /// Says which certificates can be used and will be refused by clients.
    fn warn_of_faults(&self) {
        let now_s = i64::try_from(self.clock.now_ms() / 1000).unwrap_or(i64::MAX);
        let shown = self.loaded.read().shown.clone();
        for ShownCertificate { file, valid_s: (from_s, until_s), mismatch, .. } in shown {
            let (file, from, until) = (file.display(), date(from_s), date(until_s));
            if now_s > until_s {
                tracing::error!("the certificate in {file} expired at {until}: clients will refuse it; renew it");
            } else if now_s < from_s {
                tracing::error!(
                    "the certificate in {file} holds only from {from} on: clients will refuse it; check the clock"
                );
            } else if until_s - now_s < SOON_S {
                tracing::warn!("the certificate in {file} expires at {until}; renew it");
            }
            if let Some((host, names)) = mismatch {
                tracing::error!(
                    "the certificate in {file} is to be shown for {host} and is for other hosts ({names}): clients will \
                     refuse it; name the right one"
                );
            }
        }
    }
}

fn date(seconds: i64) -> String {
    match x509_parser::time::ASN1Time::from_timestamp(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{seconds} s after 1970"),
    }
}

fn look(settings: &TlsSettings) -> Vec<Seen> {
    let files = [Some(&settings.certfile), Some(&settings.keyfile), settings.cacertfile.as_ref()];
    let of_hosts = settings.hosts.iter().flat_map(|host| [&host.certfile, &host.keyfile]);
    let look = |file: &PathBuf| fs::metadata(file).and_then(|found| Ok((found.modified()?, found.len()))).ok();
    files.into_iter().flatten().chain(of_hosts).map(look).collect()
}

//! Authorities, and the certificates that they sign, in files.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

/// An authority that a test trusts, or does not.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in PEM.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&[(DnType::CommonName, name)]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn der(&self) -> rustls::pki_types::CertificateDer<'static> {
        self.0.der().clone()
    }

    /// One for a broker at `localhost` and `127.0.0.1`.
    pub fn server(&self) -> Issued {
        self.server_with(|_| {})
    }

    pub fn server_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = named(&[(DnType::OrganizationName, "Example"), (DnType::CommonName, "broker")]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        self.sign(&params)
    }

    /// One for a client with this common name.
    pub fn client(&self, name: &str) -> Issued {
        self.client_with(name, |_| {})
    }

    pub fn client_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&[(DnType::OrganizationName, "Example"), (DnType::CommonName, name)]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        Issued { certificate: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }
}

fn named(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    parts.iter().for_each(|(kind, value)| name.push(kind.clone(), *value));
    name
}

/// A directory with a server's certificate, its key and its authority; removed when dropped.
pub struct Files(PathBuf);

impl Files {
    pub fn new(authority: &Authority, issued: &Issued) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("leveret-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let files = Self(directory);
        std::fs::write(files.cacertfile(), authority.pem()).unwrap();
        files.replace(issued);
        files
    }

    pub fn replace(&self, issued: &Issued) {
        std::fs::write(self.certfile(), &issued.certificate).unwrap();
        std::fs::write(self.keyfile(), &issued.key).unwrap();
    }

    pub fn certfile(&self) -> PathBuf {
        self.0.join("server.pem")
    }

    pub fn keyfile(&self) -> PathBuf {
        self.0.join("server.key")
    }

    pub fn cacertfile(&self) -> PathBuf {
        self.0.join("ca.pem")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

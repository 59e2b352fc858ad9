//! A certificate for this run. Contenders trust it as their users would trust a private authority, so the product needs no
//! code for the benchmark.

use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::generate_simple_self_signed;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) struct Certificate(PathBuf);

impl Certificate {
    pub(crate) fn create(folder: &Path) -> Self {
        let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(chain(folder), made.cert.pem()).unwrap();
        std::fs::write(key(folder), made.signing_key.serialize_pem()).unwrap();
        Self(folder.to_owned())
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Makes a process trust this certificate, if there is one: `rustls` and Node.js each have a variable for that.
    pub(crate) fn trust<'a>(command: &'a mut Command, certificate: Option<&Self>) -> &'a mut Command {
        if let Some(Self(folder)) = certificate {
            command.env("SSL_CERT_FILE", chain(folder)).env("NODE_EXTRA_CA_CERTS", chain(folder));
        }
        command
    }

    /// The chain and the private key of the certificate in this folder.
    pub(crate) fn read(folder: &Path) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::from_pem_file(chain(folder)).unwrap();
        (vec![chain], PrivateKeyDer::from_pem_file(key(folder)).unwrap())
    }
}

fn chain(folder: &Path) -> PathBuf {
    folder.join("certificate.pem")
}

fn key(folder: &Path) -> PathBuf {
    folder.join("key.pem")
}

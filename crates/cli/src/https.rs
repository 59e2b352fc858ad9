//! Requests with and without TLS.

use std::sync::Arc;

use anyhow::anyhow;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};

/// A connector for requests to this URL. Only https:// needs the certificates of the machine, which a small container lacks.
pub(crate) fn connector_to(uri: &Uri) -> anyhow::Result<HttpsConnector<HttpConnector>> {
    let builder = HttpsConnectorBuilder::new();
    let builder = if uri.scheme_str() == Some("https") {
        builder.with_native_roots().map_err(|_| {
            anyhow!(
                "this machine has no root certificates, which https:// needs; install the package ca-certificates, or set \
                 SSL_CERT_FILE"
            )
        })?
    } else {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions()?;
        builder.with_tls_config(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
    };
    Ok(builder.https_or_http().enable_http1().build())
}

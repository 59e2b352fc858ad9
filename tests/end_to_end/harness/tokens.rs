//! Tokens, good and bad, and the keys that sign them.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_runtime::Environment;
pub(crate) use entity_stream_testing::tokens::{SECRET, claims, in_seconds, sign, token, user, user_until};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// An environment with these settings and with authentication by [`SECRET`].
pub(crate) fn auth_environment(settings: &'static [(&'static str, &'static str)]) -> Environment {
    Environment::new(move |name| {
        let secret = settings.iter().all(|(key, _)| *key != "JWT_JWKS_URL").then_some(("JWT_SECRET", SECRET));
        settings.iter().copied().chain(secret).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    })
}

/// A token of three parts that need not match.
pub(crate) fn assemble(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// A key pair of an identity provider.
pub(crate) struct ProviderKey {
    id: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl ProviderKey {
    pub(crate) fn ec(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        Self { id, algorithm: Algorithm::ES256, key: EncodingKey::from_ec_der(pkcs8.as_ref()) }
    }

    pub(crate) fn ec_384(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        Self { id, algorithm: Algorithm::ES384, key: EncodingKey::from_ec_der(pkcs8.as_ref()) }
    }

    pub(crate) fn ed(id: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        Self { id, algorithm: Algorithm::EdDSA, key: EncodingKey::from_ed_der(pkcs8.as_ref()) }
    }

    pub(crate) fn rsa(id: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // The RSAPrivateKey inside: the part before it, version, algorithm and lengths, has 26 bytes at this size.
        let pkcs1 = &pkcs8.as_ref()[26..];
        Self { id, algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_der(pkcs1) }
    }

    /// A key of each kind.
    pub(crate) fn of_each_kind(ids: [&'static str; 4]) -> [Self; 4] {
        let [rsa, ec, ec_384, ed] = ids;
        [Self::rsa(rsa), Self::ec(ec), Self::ec_384(ec_384), Self::ed(ed)]
    }

    /// Signs claims without naming the key.
    pub(crate) fn nameless_token(&self, claims: &Value) -> String {
        encode(&Header::new(self.algorithm), claims, &self.key).unwrap()
    }

    /// A proof of possession with this key in its header. `header` and `claims` replace or, if null, remove members.
    pub(crate) fn proof(&self, header: &Value, claims: &Value) -> String {
        let mut jwk = self.jwk();
        jwk.as_object_mut().unwrap().retain(|member, _| !["kid", "use"].contains(&member.as_str()));
        let mut parts = [
            json!({ "typ": "dpop+jwt", "alg": self.algorithm, "jwk": jwk }),
            json!({ "jti": format!("{:032x}", fastrand::u128(..)), "htm": "GET", "iat": in_seconds(0) }),
        ];
        for (part, changes) in parts.iter_mut().zip([header, claims]) {
            for (member, value) in changes.as_object().unwrap() {
                part[member] = value.clone();
            }
            part.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        let [header, claims] = parts.map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let algorithm = self.algorithm;
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, algorithm).unwrap();
        format!("{signed}.{signature}")
    }

    /// The thumbprint of its public half.
    pub(crate) fn thumbprint(&self) -> String {
        let jwk: Jwk = serde_json::from_value(self.jwk()).unwrap();
        jwk.thumbprint(ThumbprintHash::SHA256).unwrap()
    }

    /// Its public half.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        // Most providers leave it out: the key's type says which algorithms it may be used with.
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_as(self.algorithm, claims)
    }

    pub(crate) fn token_as(&self, algorithm: Algorithm, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(algorithm) };
        encode(&header, claims, &self.key).unwrap()
    }
}

/// A key set as identity providers publish it.
pub(crate) fn key_set<'a>(keys: impl IntoIterator<Item = &'a ProviderKey>) -> String {
    let keys: Vec<Value> = keys.into_iter().map(ProviderKey::jwk).collect();
    json!({ "keys": keys }).to_string()
}

//! What the shadow legs log in with: credentials of their own for each charger or for all, or what the charger itself sent.
//!
//! A file of credentials is TOML, one line for each charger, under the identity as the charger spells it in its URL:
//!
//! ```toml
//! CP1 = "a password as text"
//! "CP%202" = { hex = "00112233445566778899aabbccddeeff" }  # an AuthorizationKey of OCPP 1.6: its bytes are sent
//! CP3 = { user = "someone", password = "as text" }
//! ```
//!
//! Text is never taken for hex, whatever it looks like.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::live::backend::PLACEHOLDER;
use crate::live::secret::{Secret, SecretError};

/// How legs log in.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Of single chargers, by identity. They go before all others.
    pub each: HashMap<String, Login>,
    /// Whether a charger's own `Authorization` is passed on.
    pub passed: bool,
    /// Of all other chargers.
    pub all: Option<Login>,
}

impl Credentials {
    /// Whether there is anything to log in with.
    pub fn are_any(&self) -> bool {
        self.passed || self.all.is_some() || !self.each.is_empty()
    }
}

/// User and password for HTTP Basic.
#[derive(Debug, Clone)]
pub struct Login {
    /// User template: [`PLACEHOLDER`] stands for the charger's identity.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Why a file of credentials is unusable. Never says what stands there.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It cannot be read, or others may read it.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A line is not of the form above.
    #[error("credentials file {file} line {line}: {what}")]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Credentials {
    /// The `Authorization` header's value, if any; `own` is what the charger sent to its authority.
    pub fn authorization(&self, charger: &str, own: Option<&Secret>) -> Option<Secret> {
        if let Some(login) = self.each.get(charger) {
            return Some(login.header(charger));
        }
        match own {
            Some(own) if self.passed => Some(own.clone()),
            _ => self.all.as_ref().map(|login| login.header(charger)),
        }
    }
}

impl Login {
    /// The `Authorization` header's value for a charger.
    fn header(&self, charger: &str) -> Secret {
        let mut pair = self.user.replace(PLACEHOLDER, charger).into_bytes();
        pair.push(b':');
        pair.extend_from_slice(self.password.expose());
        let pair = Secret::new(pair);
        Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
    }
}

/// Reads a private file of credentials; `user` is the template for lines that name no user.
pub fn read(path: &Path, user: &str) -> Result<HashMap<String, Login>, CredentialsError> {
    let bytes = Secret::from_file(path)?;
    let at = |line, what| CredentialsError::Line {
        file: path.to_owned(),
        line,
        what,
    };
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| {
        at(
            1,
            "the file is not UTF-8; write such a password as { hex = ... }",
        )
    })?;
    let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
    let document = DeTable::parse(text).map_err(|error| {
        let line = line_of(error.span().map_or(0, |span| span.start));
        at(line, "not TOML; write CHARGER = \"PASSWORD\"")
    })?;
    let mut logins = HashMap::new();
    for (charger, value) in document.get_ref() {
        let login = login(value, user).map_err(|what| at(line_of(value.span().start), what))?;
        logins.insert(charger.get_ref().to_string(), login);
    }
    Ok(logins)
}

fn login(value: &Spanned<DeValue<'_>>, user: &str) -> Result<Login, &'static str> {
    const FORM: &str =
        "write a password as text, or { user = ..., password = ... } or { hex = ... }";
    if let Some(password) = value.get_ref().as_str() {
        return Ok(Login {
            user: user.to_owned(),
            password: Secret::new(password),
        });
    }
    let table = value.get_ref().as_table().ok_or(FORM)?;
    let known = ["user", "password", "hex"];
    if !table
        .keys()
        .all(|key| known.contains(&key.get_ref().as_ref()))
    {
        return Err("only `user`, `password` and `hex` are known");
    }
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(value) => value.get_ref().as_str().map(Some).ok_or(FORM),
    };
    let password = match (text("password")?, text("hex")?) {
        (Some(password), None) => Secret::new(password),
        (None, Some(hex)) => {
            Secret::from_hex(hex.as_bytes()).ok_or("`hex` is not an even number of hex digits")?
        }
        _ => return Err("either `password` or `hex`, and not both"),
    };
    Ok(Login {
        user: text("user")?.unwrap_or(user).to_owned(),
        password,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        file
    }

    #[test]
    fn a_secret_does_not_show() {
        let credentials = Credentials {
            all: Some(Login {
                user: PLACEHOLDER.into(),
                password: Secret::new(*b"xyz\xff"),
            }),
            ..Credentials::default()
        };
        assert!(!format!("{credentials:?}").contains("xyz"));
        assert_eq!(
            credentials.authorization("CP1", None).unwrap().expose(),
            b"Basic Q1AxOnh5ev8="
        );
    }

    #[test]
    fn each_charger_has_a_line() {
        let file = file(
            b"# pilot\nCP1 = \"0011\"\n\"CP%202\" = { hex = \"00FF\" }\nCP3 = { user = \"me\", password = \"p\" }\n",
        );
        let credentials = Credentials {
            each: read(file.path(), PLACEHOLDER).unwrap(),
            passed: true,
            all: None,
        };
        let own = Secret::new(*b"Basic \xff");
        let sent = |charger: &str| {
            let header = credentials.authorization(charger, Some(&own)).unwrap();
            match header.expose().strip_prefix(b"Basic ") {
                Some(b"\xff") => b"passed".to_vec(),
                Some(pair) => STANDARD.decode(pair).unwrap(),
                None => panic!("not Basic"),
            }
        };
        assert_eq!(sent("CP1"), b"CP1:0011", "text is never taken for hex");
        assert_eq!(sent("CP%202"), b"CP%202:\x00\xff");
        assert_eq!(sent("CP3"), b"me:p");
        assert_eq!(sent("CP4"), b"passed");
    }

    #[test]
    fn complaints_name_the_line_and_nothing_secret() {
        for (text, line) in [
            (&b"CP1 = \"p\"\nCP2 = CANARY\n"[..], 2),
            (b"CP1 = 71077345\n", 1),
            (b"CP1 = { password = \"CANARY\", hex = \"00\" }\n", 1),
            (b"\nCP1 = { hex = \"CANARY\" }\n", 2),
            (b"CP1 = { pasword = \"CANARY\" }\n", 1),
            (b"CP1 = \"CANARY\"\nCP1 = \"CANARY\"\n", 2),
            (b"CP1 = \"CANARY\xff\"\n", 1),
        ] {
            let error = read(file(text).path(), PLACEHOLDER).unwrap_err();
            let told = error.to_string();
            assert!(told.contains(&format!("line {line}: ")), "{told}");
            assert!(
                !told.contains("CANARY") && !told.contains("71077345"),
                "{told}"
            );
        }
    }
}

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use crate::private_file::{private, replace};
use crate::small_file::read_small;
use crate::system::context_name::ContextName;
use crate::system::stack_outputs::{StackOutput, StackOutputs};
use crate::terminal::printable;

/// The folder within the user's configuration folder.
const FOLDER: &str = "entity-stream";
const FILE: &str = "contexts.json";

/// The file of contexts in the user's configuration folder. It holds no credential.
#[derive(Debug)]
pub(crate) struct ContextFile {
    path: PathBuf,
    fields: ContextFields,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_use: Option<ContextName>,
    #[serde(default)]
    contexts: BTreeMap<ContextName, StoredContext>,
}

/// A context in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredContext {
    /// The URL of a local system, or of a deployed one without outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// The region of a deployed system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// The profile of the AWS configuration with the credentials for a deployed system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// The outputs of a deployed system.
    #[serde(default)]
    pub(crate) outputs: StackOutputs,
}

impl StoredContext {
    /// The URL of the system.
    pub(crate) fn shown_url(&self) -> &str {
        let of_outputs = || self.outputs.get(StackOutput::WebSocketUrl);
        self.url.as_deref().or_else(of_outputs).unwrap_or("-")
    }
}

impl ContextFile {
    /// Reads the file. A file that does not exist has no contexts.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let path = path()?;
        let fields = match read_small(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                anyhow!("{} is not a file of contexts: {error}; correct it, or delete it", shown(&path))
            })?,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                ContextFields::default()
            }
            Err(error) => return Err(anyhow::Error::new(error).context(format!("cannot read {}", shown(&path)))),
        };
        Ok(Self { path, fields })
    }

    /// Changes the file. Commands that change it at the same time wait for each other.
    pub(crate) fn change<T>(change: impl FnOnce(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let path = path()?;
        let cannot_write = || format!("cannot write {}", shown(&path));
        let folder = path.parent().with_context(cannot_write)?;
        create_private(folder).with_context(cannot_write)?;
        let lock = private().open(path.with_extension("lock")).with_context(cannot_write)?;
        // The end of the process releases the lock too.
        File::lock(&lock).with_context(cannot_write)?;
        let mut file = Self::read()?;
        let result = change(&mut file)?;
        let text = format!("{}\n", serde_json::to_string_pretty(&file.fields)?);
        replace(&path, text.as_bytes()).with_context(cannot_write)?;
        Ok(result)
    }

    /// The place of the file in messages.
    pub(crate) fn shown(&self) -> String {
        shown(&self.path)
    }

    /// The context that commands without `--target` use. `None` for the local system.
    pub(crate) fn in_use(&self) -> Option<&ContextName> {
        self.fields.in_use.as_ref()
    }

    /// Makes a context the one in use. `local` makes it the local system.
    pub(crate) fn set_in_use(&mut self, name: &ContextName) -> anyhow::Result<()> {
        let is_named = self.fields.contexts.contains_key(name);
        if !is_named && !name.is_local() {
            bail!("{}", self.unknown(&name.to_string()));
        }
        self.fields.in_use = is_named.then(|| name.clone());
        Ok(())
    }

    /// All contexts.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&ContextName, &StoredContext)> {
        self.fields.contexts.iter()
    }

    /// The context with this name.
    pub(crate) fn get(&self, name: &ContextName) -> Option<&StoredContext> {
        self.fields.contexts.get(name)
    }

    /// Adds a context. True if it replaces one.
    pub(crate) fn add(&mut self, name: ContextName, context: StoredContext) -> bool {
        self.fields.contexts.insert(name, context).is_some()
    }

    /// Removes a context, which is no longer in use then.
    pub(crate) fn remove(&mut self, name: &ContextName) -> anyhow::Result<()> {
        if self.fields.contexts.remove(name).is_none() {
            bail!("{}", self.unknown(&name.to_string()));
        }
        self.fields.in_use.take_if(|used| used == name);
        Ok(())
    }

    /// The message for a name that no context has.
    pub(crate) fn unknown(&self, name: &str) -> String {
        let names: Vec<_> = self.all().map(|(name, _)| name.to_string()).collect();
        let known =
            if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) };
        format!("no context has the name {}; {known}. `entity-stream context add` adds one", printable(name))
    }
}

/// Creates a folder for its owner only, if it does not exist.
fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn path() -> anyhow::Result<PathBuf> {
    let folders = etcetera::choose_base_strategy().context("the user's configuration folder is unknown: set HOME")?;
    Ok(folders.config_dir().join(FOLDER).join(FILE))
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}

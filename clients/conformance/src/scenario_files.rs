use std::path::{Path, PathBuf};

use serde_json::Value;

/// A scenario that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}", path = .path.display())]
pub struct ScenarioError {
    path: PathBuf,
    reason: String,
}

/// Every scenario of the suite, with the name of its file without the extension, in the order of the names.
///
/// # Errors
/// [`ScenarioError`] if a file cannot be read.
pub fn scenarios() -> Result<Vec<(String, Value)>, ScenarioError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let fault = |path: &Path, reason: String| ScenarioError { path: path.to_owned(), reason };
    let entries = std::fs::read_dir(&folder).map_err(|error| fault(&folder, error.to_string()))?;
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| fault(&folder, error.to_string()))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|error| fault(&path, error.to_string()))?;
        let scenario = serde_json::from_str(&text).map_err(|error| fault(&path, error.to_string()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        all.push((name, scenario));
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}

//! `gridward rules test`: plays test files.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use alerting::testing::TestFile;
use anyhow::{Context, bail};

/// A test file, or a rule file that one names, cannot be used; told already.
#[derive(Debug)]
pub struct BadTests(usize);

impl fmt::Display for BadTests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} problem{} in the test files", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

impl std::error::Error for BadTests {}

/// Plays all tests of the files and folders named. All problems are told before anything is played.
pub fn test(paths: &[PathBuf]) -> anyhow::Result<()> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in test_files(paths)? {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let beside = path.parent().unwrap_or(Path::new(".")).to_owned();
        let mut open = |name: &str| {
            let file = beside.join(name);
            let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
            Ok((file.display().to_string(), text))
        };
        match TestFile::read(&path.display().to_string(), &text, &mut open) {
            Ok(file) => files.push(file),
            Err(told) => problems.extend(told),
        }
    }
    let mut out = std::io::stdout().lock();
    if !problems.is_empty() {
        for problem in &problems {
            writeln!(out, "{problem}")?;
        }
        return Err(BadTests(problems.len()).into());
    }
    let (mut passed, mut failed) = (0, 0);
    for file in &files {
        for outcome in file.run() {
            if outcome.passed() {
                passed += 1;
            } else {
                failed += 1;
            }
            writeln!(out, "{outcome}")?;
        }
    }
    if failed > 0 {
        bail!("{failed} of {} tests failed", passed + failed);
    }
    writeln!(out, "{passed} tests passed")?;
    Ok(())
}

/// The files named; of a folder, its `*_test.yaml`, of a folder called `tests` all.
fn test_files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let is_tests = path.canonicalize()?.file_name().is_some_and(|name| name == "tests");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
            let file = entry?.path();
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
            let is_test = name.ends_with("_test.yaml") || name.ends_with("_test.yml");
            if is_yaml && (is_tests || is_test) {
                found.push(file);
            }
        }
        if found.is_empty() {
            bail!("{}: no test file (*_test.yaml, or any of a folder called tests)", path.display());
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

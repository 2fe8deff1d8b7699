//! Story files as stories: a story begins with `story: CLAIM` and is a list of lines, comments and blanks gone.

use std::path::Path;

/// A story as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) file: String,
    pub(crate) claim: String,
    /// Its lines with their numbers, the claim's first.
    pub(crate) lines: Vec<(usize, String)>,
}

/// Every story of every `*.story` file in `folder`, in order.
pub(crate) fn read_all(folder: &Path) -> Vec<Story> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "story"))
        .collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().flat_map(|path| read(&name(path), &std::fs::read_to_string(path).unwrap())).collect()
}

/// The stories of one file's text. Lines before the first story belong to each of them.
pub(crate) fn read(file: &str, text: &str) -> Vec<Story> {
    let mut common = Vec::new();
    let mut stories: Vec<Story> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split(" # ").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(claim) = line.strip_prefix("story:") {
            let mut lines = vec![(at + 1, String::new())];
            lines.extend(common.iter().cloned());
            stories.push(Story { file: file.to_owned(), claim: claim.trim().to_owned(), lines });
        } else {
            let lines = stories.last_mut().map_or(&mut common, |story| &mut story.lines);
            lines.push((at + 1, line.to_owned()));
        }
    }
    stories
}

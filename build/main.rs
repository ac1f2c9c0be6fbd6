//! Tells the program which commit it is made of. Only releases name it: a build for tests must not begin anew with each commit.

mod commit;

use std::io::{self, Write};
use std::process::Command;

fn main() -> io::Result<()> {
    let mut cargo = io::stdout();
    writeln!(cargo, "cargo::rerun-if-env-changed=LEVERET_COMMIT")?;
    writeln!(cargo, "cargo::rerun-if-changed=packaging/commit")?;
    let given = std::env::var("LEVERET_COMMIT").ok();
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let found = commit::given(given.as_deref()).or_else(|| if is_release { found(&mut cargo) } else { None });
    match found {
        Some(commit) => writeln!(cargo, "cargo::rustc-env=LEVERET_COMMIT={commit}"),
        None => writeln!(cargo, "cargo::rustc-env=LEVERET_COMMIT="),
    }
}

/// The commit of a working copy, of an archive that git made, or of a package of cargo, in this order.
fn found(cargo: &mut impl Write) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // Below a working copy of something else, as a vendored package, its commit would be told.
    let is_own = git(&["ls-files", "--error-unmatch", "packaging/commit"]).is_some();
    if let Some(commit) = git(&["rev-parse", "--short", "HEAD"]).filter(|_| is_own) {
        let moved = git(&["rev-parse", "--git-path", "logs/HEAD"]);
        moved.and_then(|file| writeln!(cargo, "cargo::rerun-if-changed={file}").ok());
        return Some(commit);
    }
    let of_archive = std::fs::read_to_string("packaging/commit").ok();
    let of_package = std::fs::read_to_string(".cargo_vcs_info.json").ok();
    of_archive.as_deref().and_then(commit::of_archive).or_else(|| of_package.as_deref().and_then(commit::of_package))
}

//! Manual pages and completions.

use crate::harness::run;

#[tokio::test]
async fn each_command_has_a_manual_page() {
    let page = run(&["man"]).await;
    assert!(page.code == Some(0) && page.stdout.contains(".TH entity-stream 1"), "{page:?}");
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man/man1");
    let ended = run(&["man", pages.to_str().unwrap()]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    for name in ["entity-stream", "entity-stream-listen", "entity-stream-context-add"] {
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    let page = std::fs::read_to_string(pages.join("entity-stream-listen.1")).unwrap();
    let (_, examples) = page.split_once(".SH EXAMPLES\n").unwrap();
    assert!(examples.starts_with(".nf\n  entity\\-stream listen demo\n  entity\\-stream listen demo "), "{examples}");
    assert!(page.contains("ENTITY_STREAM_TOKEN"), "{page}");
    let failed = run(&["man", "/dev/null/man"]).await;
    assert!(
        failed.code == Some(1) && failed.stderr.contains("cannot write the manual pages to /dev/null/man"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn each_shell_has_completions_with_the_options() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&["completions", shell]).await;
        assert_eq!(ended.code, Some(0), "{shell}: {ended:?}");
        for word in ["target", "forward-to", "replay"] {
            assert!(ended.stdout.contains(word), "{shell}: {word}");
        }
    }
}

/// Bash asks the function of the script for the words that can follow.
#[cfg(unix)]
#[tokio::test]
async fn bash_completes_subcommands_and_their_options() {
    let script = run(&["completions", "bash"]).await.stdout;
    for (words, expected) in [
        (&["entity-stream", "dead-"][..], &["dead-letters"][..]),
        (&["entity-stream", "dead-letters", "re"], &["replay"]),
        (&["entity-stream", "listen", "demo", "--ent"], &["--entity-type", "--entities"]),
        (&["entity-stream", "listen", "demo", "--output", "cl"], &["cloudevents"]),
        (&["entity-stream", "context", "add", "--fr"], &["--from"]),
    ] {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={last}; _entity__stream entity-stream '{word}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
            last = words.len() - 1,
            word = words[words.len() - 1],
            before = words[words.len() - 2],
        );
        let output = match tokio::process::Command::new("bash").args(["-c", &ask]).output().await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return eprintln!("skipped: no bash"),
            output => output.unwrap(),
        };
        let found = String::from_utf8(output.stdout).unwrap();
        let mut found: Vec<_> = found.lines().collect();
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

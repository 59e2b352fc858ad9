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

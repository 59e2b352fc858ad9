//! Standard output that takes nothing.

use crate::harness::{run, start, start_line};

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_a_failure_also_for_help() {
    let program = env!("CARGO_BIN_EXE_entity-stream");
    for arguments in ["--help", "--version", "listen --help", "help listen", "completions bash", "man"] {
        let mut command = start_line(&format!("'{program}' {arguments} >/dev/full"));
        command.says("error: cannot write to standard output: ").await;
        assert_eq!(command.exit().await.code(), Some(1), "{arguments}");
    }
}

#[tokio::test]
async fn a_closed_pipe_is_no_failure() {
    for arguments in [&["--help"][..], &["--version"], &["listen", "--help"]] {
        let mut command = start(arguments);
        command.close_stdout();
        let stderr = command.collect_stderr();
        assert_eq!(command.exit().await.code(), Some(0), "{arguments:?}");
        assert_eq!(stderr.await.unwrap(), "", "{arguments:?}");
    }
    // Without a command, the help goes to standard error, and the exit code is that of a wrong command line.
    let ended = run(&[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
}

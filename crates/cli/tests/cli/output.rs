//! Standard output that takes nothing.

use crate::harness::{listen, run, start, start_line, system};

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

/// Runs a command whose reader has gone. Returns its exit code and standard error.
async fn without_reader(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = start(arguments);
    command.close_stdout();
    let stderr = command.collect_stderr();
    (command.exit().await.code(), stderr.await.unwrap())
}

#[tokio::test]
async fn a_closed_pipe_does_not_end_the_work() {
    let system = system().await;
    let (mut one, mut other) = (listen(&system, "demo", &[]).await, listen(&system, "demo", &[]).await);
    let table = ["--dynamodb-url", &system.dynamodb_url()];
    let listed = run(&[&["connections", "list", "--output", "ids"], &table[..]].concat()).await;
    let close = ["connections", "close", "--target", &system.http_url(), "--"];
    let ids: Vec<_> = listed.stdout.lines().collect();
    assert_eq!(without_reader(&[&close[..], &ids].concat()).await, (Some(0), String::new()));
    one.says("lost the connection").await;
    other.says("lost the connection").await;

    // The key would be lost.
    let (code, stderr) = without_reader(&[&["keys", "create", "robot", "--tenant", "demo"], &table[..]].concat()).await;
    assert_eq!(code, Some(1), "{stderr}");
    let expected = "error: the key robot exists, but its value was not printed: standard output was closed; ";
    assert!(stderr.starts_with(expected), "{stderr}");

    // The exit code is the verdict.
    let (code, stderr) = without_reader(&["token", "--inspect", "eyJhbGciOiJub25lIn0.e30."]).await;
    assert!(code == Some(1) && stderr.contains("the functions would refuse the token"), "{code:?} {stderr}");
}

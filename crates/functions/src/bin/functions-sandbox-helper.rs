//! The sandbox's helper as a program of its own, for the tests of this crate. The server is its own helper.

fn main() -> std::process::ExitCode {
    offprint_sandbox::helper::main(std::env::args_os().skip(1))
}

//! `frontdesk`: the gateway from the command line.

fn main() -> std::process::ExitCode {
    frontdesk_gateway::cli::main()
}

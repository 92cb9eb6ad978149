//! Released wranglers, unmodified, command by command.

/// Makes one test of each function and release.
macro_rules! each_release {
    ($($name:ident)+) => {
        mod pinned {
            $(#[tokio::test] async fn $name() { super::$name(crate::support::Release::Pinned).await; })+
        }
        mod newest {
            $(#[tokio::test] async fn $name() { super::$name(crate::support::Release::Newest).await; })+
        }
    };
}

/// A wrangler of this release for the server; leaves the test where it is not installed.
macro_rules! wrangler {
    ($release:expr, $server:expr) => {
        match crate::support::Wrangler::new($release, &$server).await {
            Some(wrangler) => wrangler,
            None => return,
        }
    };
    ($release:expr, $server:expr, $sample:expr) => {
        match crate::support::Wrangler::inside(
            crate::support::TestDirectory::copy_of($sample),
            $release,
            &$server,
        )
        .await
        {
            Some(wrangler) => wrangler,
            None => return,
        }
    };
}

mod d1;
mod deploy;
mod deployment;
mod download_config;
mod functions;
mod kv;
mod project;
mod r2;
mod secret;
mod tail;
mod whoami;

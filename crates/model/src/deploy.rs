//! Deploys: the operation of publishing a build, and its steps.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident [$count:literal] { $($(#[$case_doc:meta])* $case:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$case_doc])* $case,)*
        }

        impl $name {
            /// The words for all of them.
            pub const WORDS: [&'static str; $count] = [$($word),*];

            /// The word in the Deploys API, which is also the one that is stored.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$case => $word,)*
                }
            }

            /// The one with this word.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$case),)*
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// How far a build or a deploy is.
    RunStatus [5] {
        /// Nobody has begun.
        Pending = "pending",
        /// Somebody works on it.
        Running = "running",
        /// It came to its end.
        Completed = "completed",
        /// It could not.
        Failed = "failed",
        /// It was stopped, or turned out not to be wanted.
        Cancelled = "cancelled",
    }
}

words! {
    /// How far a step is.
    StepStatus [5] {
        /// Not begun.
        Pending = "pending",
        /// Begun.
        Running = "running",
        /// Done.
        Completed = "completed",
        /// It could not be done.
        Failed = "failed",
        /// Left out.
        Skipped = "skipped",
    }
}

words! {
    /// What caused a deploy.
    DeployTrigger [3] {
        /// A push, or a deploy hook.
        Auto = "auto",
        /// Somebody who asked.
        Manual = "manual",
        /// Somebody who asked for what was live before.
        Rollback = "rollback",
    }
}

words! {
    /// What caused a build.
    BuildTrigger [3] {
        /// A push, or a deploy hook.
        Auto = "auto",
        /// Somebody who asked.
        Manual = "manual",
        /// Somebody who asked for it once more.
        Redeploy = "redeploy",
    }
}

words! {
    /// A step of a deploy. To this server itself it goes through the first list, to another one through the second.
    DeployStep [8] {
        /// The content is there.
        ResolveBuild = "resolve_build",
        /// Every byte of it is stored, and its rules compile.
        Seal = "seal",
        /// Bytes travel to where they are served from.
        Upload = "upload",
        /// Aliases point at it.
        Activate = "activate",
        /// Its root was fetched.
        Verify = "verify",
        /// Ask the other server what it lacks.
        CheckMissing = "check_missing",
        /// Make the deployment at the other server.
        CreateDeployment = "create_deployment",
        /// Wait until it is live there.
        Poll = "poll",
    }
}

words! {
    /// A step of the build of a version, in order.
    VersionStep [3] {
        /// The version's files are read, and written to where they are built.
        Collect = "collect",
        /// Dependencies are installed, the command runs, Functions are compiled; skipped where there is nothing to build.
        Build = "build",
        /// What came of it becomes the build's content.
        Store = "store",
    }
}

impl DeployStep {
    /// The steps of a deploy to this server itself, in order.
    pub const LOCAL: [Self; 5] = [Self::ResolveBuild, Self::Seal, Self::Upload, Self::Activate, Self::Verify];
    /// The steps of a deploy to another server, in order.
    pub const REMOTE: [Self; 5] =
        [Self::CheckMissing, Self::Upload, Self::CreateDeployment, Self::Poll, Self::Verify];
}

impl RunStatus {
    /// Whether nothing will change any more.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

//! The error codes of the API: one table, from which the enum and its three total matches are made.
//!
//! Numbers below 8 100 000 are Cloudflare's, with its wording where that is known. Numbers from 8 100 000
//! are Offprint's own, for faults that Cloudflare's API has no known code for; they are never reused.

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal, $status:literal, $message:literal;)*) => {
        /// Why a call was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[doc = $doc])* $name,)* }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number in the envelope.
            pub const fn number(self) -> u32 {
                match self { $(Self::$name => $number,)* }
            }

            /// The HTTP status. A failure never has 200: the official SDKs look at nothing else.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What a person reads when there is nothing more exact to say.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

// Name = number, HTTP status, message.
error_codes! {
    // --- Cloudflare's, for every API ---
    /// `/user/tokens/verify` with an unknown token.
    InvalidApiToken = 1000, 401, "Invalid API Token";
    /// A credential header that cannot be one; the chain says which.
    InvalidHeaders = 6003, 400, "Invalid request headers";
    /// In the chain of [`Self::InvalidHeaders`]: `X-Auth-Key`.
    InvalidAuthKeyHeader = 6103, 400, "Invalid format for X-Auth-Key header";
    /// In the chain of [`Self::InvalidHeaders`]: `Authorization`.
    InvalidAuthorizationHeader = 6111, 400, "Invalid format for Authorization header";
    /// A path that no endpoint has.
    NoRoute = 7003, 404, "Could not route to this path, perhaps your object identifier is invalid?";
    /// No credentials at all.
    MissingCredentials = 9106, 400, "Missing X-Auth-Key, X-Auth-Email or Authorization headers";
    /// The token may not use this endpoint.
    Unauthorized = 9109, 403, "Unauthorized to access requested resource";
    /// Credentials that nobody has.
    AuthenticationError = 10000, 401, "Authentication error";
    /// Good credentials without the permission, or for another account. Same number as
    /// [`Self::AuthenticationError`]: the real API does not tell them apart either.
    PermissionDenied = 10000, 403, "Authentication error";
    /// A path that exists, asked with another method.
    MethodNotAllowed = 10405, 405, "Method not allowed";

    // --- Cloudflare's, for Pages ---
    /// A fault of ours, and nothing was stored: wrangler sends a deployment again on this code alone.
    Unknown = 8_000_000, 500, "An unknown error occurred. Nothing was changed; the server's log has the cause.";
    /// The name is taken.
    ProjectExists = 8_000_002, 409, "A project with this name already exists. Choose a different project name.";
    /// A body that is not what the endpoint takes.
    InvalidBody = 8_000_006, 400, "Request body is incorrect. The request body may have an invalid JSON type or missing required keys.";
    /// No such project in this account. wrangler reads this code.
    ProjectNotFound = 8_000_007, 404, "Project not found. The specified project name does not match any of your existing projects.";
    /// No such deployment in this project.
    DeploymentNotFound = 8_000_009, 404, "The deployment ID you have specified does not exist.";
    /// A bad upload token. wrangler fetches a new one on this code.
    AuthorizationFailed = 8_000_013, 401, "Authorization failed";
    /// A domain name that cannot be one.
    InvalidDomain = 8_000_015, 400, "invalid TLD";
    /// The project has this domain already.
    DomainExists = 8_000_018, 400, "You have already added this custom domain. Select another custom domain or check your project configuration.";
    /// The project does not have this domain.
    DomainNotFound = 8_000_021, 404, "The domain you have requested does not exist. Add a custom domain to your Pages project before continuing.";
    /// `page` or `per_page` out of range.
    InvalidListOptions = 8_000_024, 400, "Invalid list options provided. Review the `page` or `per_page` parameter.";
    /// The project still has domains.
    DomainsRemain = 8_000_028, 400, "The project's custom domains must be deleted before the project.";
    /// The deployment is the live one of production.
    DeploymentIsLive = 8_000_034, 400, "The active production deployment cannot be deleted.";
    /// The deployment has a branch's host, and `force` was not said.
    DeploymentIsAliased = 8_000_035, 400, "Cannot delete aliased deployment without a ?force=true parameter";
    /// A tail on a deployment that runs no Functions.
    WorkerNotFound = 8_000_068, 404, "The requested Worker version could not be found, please check the ID being passed and try again.";
    /// The project has more deployments than may be deleted at once.
    TooManyDeployments = 8_000_076, 400, "Your project has too many deployments to be deleted. Delete deployments first, one by one with ?force=true.";
    /// A direct upload without its manifest.
    ManifestMissing = 8_000_096, 400, "A \"manifest\" field was expected in the request body but was not provided.";
    /// A commit message that is not UTF-8.
    InvalidCommitMessage = 8_000_111, 400, "Invalid commit message, it must be a valid UTF-8 string.";

    // --- Cloudflare's, for KV ---
    /// No pair of this key.
    KvKeyNotFound = 10009, 404, "get: 'key not found'";
    /// No such namespace in this account.
    KvNamespaceNotFound = 10013, 404, "namespace not found";
    /// The title is taken.
    KvNamespaceExists = 10014, 400, "a namespace with this account ID and title already exists";

    // --- Cloudflare's, for D1 ---
    /// No such database in this account.
    D1DatabaseNotFound = 7404, 404, "The database could not be found";
    /// SQL that fails; the text is SQLite's.
    D1Failed = 7500, 400, "The query failed.";
    /// The name is taken. wrangler reads this code.
    D1DatabaseExists = 7502, 400, "A database with that name already exists";

    // --- Cloudflare's, for R2 ---
    /// The name is taken.
    R2BucketExists = 10004, 409, "The bucket you tried to create already exists, and you own it.";
    /// A name that no bucket can have.
    R2InvalidBucketName = 10005, 400, "The specified bucket name is not valid.";
    /// No such bucket in this account.
    R2BucketNotFound = 10006, 404, "The specified bucket does not exist.";
    /// No object of this key.
    R2KeyNotFound = 10007, 404, "The specified key does not exist.";
    /// Only empty buckets are deleted.
    R2BucketNotEmpty = 10008, 409, "The bucket you tried to delete is not empty.";
    /// Metadata that is too large.
    R2MetadataTooLarge = 10012, 400, "Your metadata headers exceed the maximum allowed metadata size.";
    /// A key that no object can have.
    R2InvalidObjectName = 10020, 400, "The specified object name is not valid.";
    /// A request that makes no sense.
    R2InvalidArgument = 10029, 400, "The request is not valid.";
    /// A condition does not hold.
    R2PreconditionFailed = 10031, 412, "At least one of the pre-conditions you specified did not hold.";
    /// Bytes that are others than their checksum says.
    R2BadDigest = 10037, 400, "The checksum you specified did not match what we received.";
    /// There are no such bytes.
    R2InvalidRange = 10039, 416, "The requested range is not satisfiable";
    /// An object that is too large.
    R2EntityTooLarge = 100_100, 413, "Your proposed upload exceeds the maximum allowed object size.";

    // --- Offprint's own ---
    /// A fault of ours after which nobody knows whether the call took effect. Not [`Self::Unknown`],
    /// because clients send again on that one.
    OutcomeUnknown = 8_100_000, 500, "An internal fault interrupted the request; it may or may not have taken effect.";
    /// The body is longer than the endpoint takes.
    BodyTooLarge = 8_100_001, 413, "The request body is too large.";
    /// One asset is longer than an asset may be.
    AssetTooLarge = 8_100_002, 413, "An asset is too large.";
    /// More files than a deployment may have.
    TooManyFiles = 8_100_003, 400, "A deployment may not have so many files.";
    /// The manifest names keys that were never uploaded to this account.
    AssetsMissing = 8_100_004, 400, "The manifest names assets that were not uploaded.";
    /// A key that does not belong to the bytes that were uploaded under it.
    KeyMismatch = 8_100_005, 400, "The manifest names an asset by a key that is not its content's.";
    /// A manifest with an illegal path or key.
    InvalidManifest = 8_100_006, 400, "The manifest is not valid.";
    /// A `_worker.bundle` that cannot be read.
    InvalidWorkerBundle = 8_100_007, 400, "The _worker.bundle is not valid.";
    /// A `_routes.json` that breaks its rules.
    InvalidRoutes = 8_100_008, 400, "The _routes.json is not valid.";
    /// A multipart body that ends early or is no multipart body.
    InvalidMultipart = 8_100_009, 400, "The multipart body is not valid.";
    /// A build was asked for, and the project has no repository.
    NoSource = 8_100_010, 400, "This project has no repository to build from. Send a multipart form with a manifest to deploy files.";
    /// A build was asked for, and this server does not build.
    BuildsUnavailable = 8_100_011, 400, "This server does not build from git. Build the site and deploy the output directory, or ask the operator for a builder.";
    /// A rollback to a deployment that never went live.
    NotRollbackable = 8_100_012, 400, "Only a deployment that went live can be rolled back to.";
    /// The domain is active in another project.
    DomainTaken = 8_100_013, 409, "This domain is active in another project.";
    /// The domain belongs to the server itself.
    DomainReserved = 8_100_014, 400, "This domain belongs to the server itself.";
    /// No such API token.
    TokenNotFound = 8_100_015, 404, "API token not found.";
    /// No such deploy hook.
    DeployHookNotFound = 8_100_016, 404, "Deploy hook not found.";
    /// The repository of a project cannot be changed.
    SourceFixed = 8_100_017, 400, "The repository of a project is fixed when the project is created.";
    /// An upload by API token, and it is not clear into which account.
    AccountUnclear = 8_100_018, 400, "This API token may write to several accounts. Use the upload token of the project.";
    /// The same thing was changed by somebody else at the same moment.
    Conflict = 8_100_019, 409, "Somebody else changed the same thing at the same moment. Try again.";
    /// The branch has a deploy hook.
    DeployHookExists = 8_100_020, 409, "There is a deploy hook for this branch already.";
    /// A webhook that the project's forge did not send.
    InvalidSignature = 8_100_021, 401, "The webhook is not signed with this project's secret.";
    /// A webhook in the words of another forge.
    InvalidWebhook = 8_100_022, 400, "The webhook is not one of the project's forge.";
    /// A webhook of another repository.
    RepositoryMismatch = 8_100_023, 400, "The webhook is about another repository than this project's.";
    /// A webhook that was heard before.
    DeliveryReplayed = 8_100_024, 409, "This delivery was received before.";
    /// A deployment that has ended is to be canceled.
    NotCancelable = 8_100_025, 400, "The deployment has ended and cannot be canceled.";
    /// No such pull request.
    PullRequestNotFound = 8_100_026, 404, "Pull request not found. It is known once the forge has told of it.";
    /// A commit that is not at the head of an open pull request is to be approved.
    NotApprovable = 8_100_027, 400, "The commit cannot be approved.";
    /// A commit of a fork is to be built.
    NotApproved = 8_100_028, 403, "The commit comes from a fork, and nobody has approved it.";
    /// More logs are followed than this server lets be.
    TooManyStreams = 8_100_029, 429, "Too many logs are being followed. Try again later.";
    /// A key, a lifetime or metadata that breaks a rule of KV.
    KvInvalid = 8_100_050, 400, "The key or its options are not valid.";
    /// A value that is longer than a value may be.
    KvValueTooLarge = 8_100_051, 413, "A value of KV has 25 MiB at the most.";
    /// The history of a database is asked for.
    D1NoTimeTravel = 8_100_052, 501, "This server keeps no history of D1 databases. Take copies with `wrangler d1 export --remote`.";
    /// A link to upload or download SQL that is none of ours, or not any more.
    D1LinkExpired = 8_100_053, 403, "This link is not valid, or not any more. Ask for a new one.";
    /// A file is to be run that was not uploaded.
    D1NotUploaded = 8_100_054, 400, "There is no such upload. Put the file to `upload_url` first.";
    /// A file with another MD5 than was announced.
    D1OtherUpload = 8_100_055, 400, "The file is another one than was announced: its MD5 differs.";
    /// An import that nobody knows.
    D1NoImport = 8_100_056, 404, "There is no such import; the server may have been restarted. Start it again.";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test a code, so that a change of any is seen by its name.
    macro_rules! pinned {
        ($($test:ident: $code:ident = $number:literal, $status:literal;)*) => {
            $(#[test]
            fn $test() {
                assert_eq!((ErrorCode::$code.number(), ErrorCode::$code.status()), ($number, $status));
                assert!(!ErrorCode::$code.message().is_empty());
            })*

            #[test]
            fn every_code_is_pinned() {
                assert_eq!(ErrorCode::ALL, [$(ErrorCode::$code,)*]);
            }
        };
    }

    pinned! {
        invalid_api_token: InvalidApiToken = 1000, 401;
        invalid_headers: InvalidHeaders = 6003, 400;
        invalid_auth_key_header: InvalidAuthKeyHeader = 6103, 400;
        invalid_authorization_header: InvalidAuthorizationHeader = 6111, 400;
        no_route: NoRoute = 7003, 404;
        missing_credentials: MissingCredentials = 9106, 400;
        unauthorized: Unauthorized = 9109, 403;
        authentication_error: AuthenticationError = 10000, 401;
        permission_denied: PermissionDenied = 10000, 403;
        method_not_allowed: MethodNotAllowed = 10405, 405;
        unknown: Unknown = 8_000_000, 500;
        project_exists: ProjectExists = 8_000_002, 409;
        invalid_body: InvalidBody = 8_000_006, 400;
        project_not_found: ProjectNotFound = 8_000_007, 404;
        deployment_not_found: DeploymentNotFound = 8_000_009, 404;
        authorization_failed: AuthorizationFailed = 8_000_013, 401;
        invalid_domain: InvalidDomain = 8_000_015, 400;
        domain_exists: DomainExists = 8_000_018, 400;
        domain_not_found: DomainNotFound = 8_000_021, 404;
        invalid_list_options: InvalidListOptions = 8_000_024, 400;
        domains_remain: DomainsRemain = 8_000_028, 400;
        deployment_is_live: DeploymentIsLive = 8_000_034, 400;
        deployment_is_aliased: DeploymentIsAliased = 8_000_035, 400;
        worker_not_found: WorkerNotFound = 8_000_068, 404;
        too_many_deployments: TooManyDeployments = 8_000_076, 400;
        manifest_missing: ManifestMissing = 8_000_096, 400;
        invalid_commit_message: InvalidCommitMessage = 8_000_111, 400;
        kv_key_not_found: KvKeyNotFound = 10009, 404;
        kv_namespace_not_found: KvNamespaceNotFound = 10013, 404;
        kv_namespace_exists: KvNamespaceExists = 10014, 400;
        d1_database_not_found: D1DatabaseNotFound = 7404, 404;
        d1_failed: D1Failed = 7500, 400;
        d1_database_exists: D1DatabaseExists = 7502, 400;
        r2_bucket_exists: R2BucketExists = 10004, 409;
        r2_invalid_bucket_name: R2InvalidBucketName = 10005, 400;
        r2_bucket_not_found: R2BucketNotFound = 10006, 404;
        r2_key_not_found: R2KeyNotFound = 10007, 404;
        r2_bucket_not_empty: R2BucketNotEmpty = 10008, 409;
        r2_metadata_too_large: R2MetadataTooLarge = 10012, 400;
        r2_invalid_object_name: R2InvalidObjectName = 10020, 400;
        r2_invalid_argument: R2InvalidArgument = 10029, 400;
        r2_precondition_failed: R2PreconditionFailed = 10031, 412;
        r2_bad_digest: R2BadDigest = 10037, 400;
        r2_invalid_range: R2InvalidRange = 10039, 416;
        r2_entity_too_large: R2EntityTooLarge = 100_100, 413;
        outcome_unknown: OutcomeUnknown = 8_100_000, 500;
        body_too_large: BodyTooLarge = 8_100_001, 413;
        asset_too_large: AssetTooLarge = 8_100_002, 413;
        too_many_files: TooManyFiles = 8_100_003, 400;
        assets_missing: AssetsMissing = 8_100_004, 400;
        key_mismatch: KeyMismatch = 8_100_005, 400;
        invalid_manifest: InvalidManifest = 8_100_006, 400;
        invalid_worker_bundle: InvalidWorkerBundle = 8_100_007, 400;
        invalid_routes: InvalidRoutes = 8_100_008, 400;
        invalid_multipart: InvalidMultipart = 8_100_009, 400;
        no_source: NoSource = 8_100_010, 400;
        builds_unavailable: BuildsUnavailable = 8_100_011, 400;
        not_rollbackable: NotRollbackable = 8_100_012, 400;
        domain_taken: DomainTaken = 8_100_013, 409;
        domain_reserved: DomainReserved = 8_100_014, 400;
        token_not_found: TokenNotFound = 8_100_015, 404;
        deploy_hook_not_found: DeployHookNotFound = 8_100_016, 404;
        source_fixed: SourceFixed = 8_100_017, 400;
        account_unclear: AccountUnclear = 8_100_018, 400;
        conflict: Conflict = 8_100_019, 409;
        deploy_hook_exists: DeployHookExists = 8_100_020, 409;
        invalid_signature: InvalidSignature = 8_100_021, 401;
        invalid_webhook: InvalidWebhook = 8_100_022, 400;
        repository_mismatch: RepositoryMismatch = 8_100_023, 400;
        delivery_replayed: DeliveryReplayed = 8_100_024, 409;
        not_cancelable: NotCancelable = 8_100_025, 400;
        pull_request_not_found: PullRequestNotFound = 8_100_026, 404;
        not_approvable: NotApprovable = 8_100_027, 400;
        not_approved: NotApproved = 8_100_028, 403;
        too_many_streams: TooManyStreams = 8_100_029, 429;
        kv_invalid: KvInvalid = 8_100_050, 400;
        kv_value_too_large: KvValueTooLarge = 8_100_051, 413;
        d1_no_time_travel: D1NoTimeTravel = 8_100_052, 501;
        d1_link_expired: D1LinkExpired = 8_100_053, 403;
        d1_not_uploaded: D1NotUploaded = 8_100_054, 400;
        d1_other_upload: D1OtherUpload = 8_100_055, 400;
        d1_no_import: D1NoImport = 8_100_056, 404;
    }

    #[test]
    fn our_own_numbers_are_above_cloudflares_and_unique() {
        let mut numbers: Vec<u32> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        numbers.sort_unstable();
        let doubles: Vec<u32> = numbers.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0]).collect();
        assert_eq!(doubles, [10000], "only 10000 has two statuses");
        assert!(numbers.iter().all(|n| *n >= 1000), "the envelope's codes begin at 1000");
    }

    #[test]
    fn wordings_that_were_seen_verbatim_are_kept() {
        assert_eq!(ErrorCode::AuthorizationFailed.message(), "Authorization failed");
        assert!(ErrorCode::ProjectNotFound.message().starts_with("Project not found. The specified"));
        assert!(ErrorCode::ManifestMissing.message().contains("\"manifest\" field was expected"));
    }
}

//! The fields and relations of each entity, in the order in which they are shown.

use super::{Entity, Field, Kind, Relation};
use crate::deploy::{BuildTrigger, DeployTrigger, RunStatus, StepStatus};

const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, nullable: false, queried: true, about }
}

impl Field {
    /// It may be absent.
    const fn or_null(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// One neither filters nor orders by it.
    const fn shown_only(self) -> Self {
        Self { queried: false, ..self }
    }
}

const ID: Field = field("id", Kind::Id, "The prefixed, time-ordered id.");
const NAME: Field = field("name", Kind::Text, "The name, for people.");
const CREATED: Field = field("createdAt", Kind::Time, "When it was made.");
const UPDATED: Field = field("updatedAt", Kind::Time, "When it last changed.");
const STARTED: Field = field("startedAt", Kind::Time, "When work on it began.").or_null();
const COMPLETED: Field =
    field("completedAt", Kind::Time, "When it came to its end, well or badly.").or_null();
const WORKSPACE: Field = field("workspaceId", Kind::Id, "The workspace it belongs to.");
const CREATED_BY: Field =
    field("createdBy", Kind::Id, "The API key that asked for it; null: the system.").or_null();
const ERROR: Field = field("error", Kind::Text, "Why it failed, for people.").or_null();
const METADATA: Field = field("metadata", Kind::Json, "What else is known.").or_null().shown_only();
const ENTITY: Field = field("entityId", Kind::Id, "The app.");
const NUMBER: Field = field("sequenceNumber", Kind::Number, "Rises by one with each of an app.");
const SOURCE_EVENT: Field = field("sourceEventId", Kind::Id, "The event that caused it.").or_null();
const RUN_STATUS: Field = field("status", Kind::Word(&RunStatus::WORDS), "How far it is.");
const STEP_STATUS: Field = field("status", Kind::Word(&StepStatus::WORDS), "How far it is.");
const STEP_ORDER: Field = field("order", Kind::Number, "Its place among the steps, from 0.");
const LOG: Field = field("log", Kind::Text, "What it said.").or_null().shown_only();

const WORKSPACE_FIELDS: &[Field] = &[ID, NAME, CREATED];

const APP_FIELDS: &[Field] = &[
    ID,
    WORKSPACE,
    NAME,
    field("description", Kind::Text, "What it is for.").or_null(),
    field("handle", Kind::Text, "Its slug: the host label of its site, and the name of the Pages project.")
        .or_null(),
    field("defaultVersionId", Kind::Id, "The version that a deploy of the app takes.").or_null(),
    field("status", Kind::Word(&["draft", "live"]), "Whether something of it is in production."),
    field("publicAccess", Kind::Flag, "Whether its site answers."),
    field("pagesProjectId", Kind::Text, "The id of the Pages project.").or_null(),
    field("config", Kind::Json, "How it is built.").shown_only(),
    field("target", Kind::Json, "Where its deploys go.").shown_only(),
    CREATED_BY,
    field("deletedAt", Kind::Time, "When it was deleted; it can be restored.").or_null(),
    field(
        "retentionTier",
        Kind::Word(&["short", "medium", "long", "none"]),
        "How long it can be restored: 7, 30 or 90 days, or for ever.",
    )
    .or_null(),
    CREATED,
    UPDATED,
];

const VERSION_FIELDS: &[Field] = &[
    ID,
    field("appId", Kind::Id, "The app."),
    NAME,
    field("parentId", Kind::Id, "The version it was forked from.").or_null(),
    field("status", Kind::Word(&["pending", "ready", "failed"]), "Whether it can be built."),
    ERROR,
    CREATED_BY,
    CREATED,
    UPDATED,
];

const BUILD_FIELDS: &[Field] = &[
    ID,
    WORKSPACE,
    ENTITY,
    NUMBER,
    RUN_STATUS,
    field("trigger", Kind::Word(&BuildTrigger::WORDS), "What caused it."),
    SOURCE_EVENT,
    ERROR,
    METADATA,
    CREATED_BY,
    STARTED,
    COMPLETED,
    CREATED,
];

const BUILD_STEP_FIELDS: &[Field] = &[
    ID,
    field("buildId", Kind::Id, "The build."),
    NAME,
    STEP_STATUS,
    STEP_ORDER,
    ERROR,
    LOG,
    METADATA,
    STARTED,
    COMPLETED,
    CREATED,
];

const DEPLOY_FIELDS: &[Field] = &[
    ID,
    WORKSPACE,
    ENTITY,
    NUMBER,
    field("buildId", Kind::Id, "The build that is published.").or_null(),
    RUN_STATUS,
    field("trigger", Kind::Word(&DeployTrigger::WORDS), "What caused it."),
    SOURCE_EVENT,
    field("productionUrl", Kind::Text, "Where production answers; null for a preview.")
        .or_null()
        .shown_only(),
    field("previewUrl", Kind::Text, "Where this very deploy answers, for ever.").or_null().shown_only(),
    ERROR,
    METADATA,
    CREATED_BY,
    STARTED,
    COMPLETED,
    CREATED,
];

const DEPLOY_STEP_FIELDS: &[Field] = &[
    ID,
    field("deployId", Kind::Id, "The deploy."),
    NAME,
    STEP_STATUS,
    STEP_ORDER,
    ERROR,
    LOG,
    METADATA,
    STARTED,
    COMPLETED,
    CREATED,
];

const EVENT_FIELDS: &[Field] = &[
    ID,
    field("type", Kind::Text, "What happened, such as `deploy.completed`."),
    field("subjectId", Kind::Text, "To what it happened."),
    field("userId", Kind::Id, "The API key that did it; null: the system.").or_null(),
    WORKSPACE,
    field("parentId", Kind::Text, "What the subject belongs to.").or_null(),
    field("data", Kind::Json, "What else is known: `via`, `address` and more.").or_null().shown_only(),
    CREATED,
];

const KEY_FIELDS: &[Field] = &[
    ID,
    WORKSPACE,
    NAME,
    field("permission", Kind::Word(&["read", "write"]), "What it may do."),
    field("appIds", Kind::Json, "The apps it is good for; null: the whole workspace.").or_null().shown_only(),
    field("expiresAt", Kind::Time, "From when on it is worthless.").or_null(),
    field("lastUsedAt", Kind::Time, "When it was last used, to the minute.").or_null(),
    CREATED,
];

const WEBHOOK_FIELDS: &[Field] = &[
    ID,
    WORKSPACE,
    NAME,
    field("url", Kind::Text, "Who is told."),
    field("filter", Kind::Json, "The types of events it is told of, with `*`; null: all.")
        .or_null()
        .shown_only(),
    field("enabled", Kind::Flag, "Whether it is told."),
    CREATED,
];

const fn one(name: &'static str, to: Entity) -> Relation {
    Relation { name, to, many: false }
}

const fn many(name: &'static str, to: Entity) -> Relation {
    Relation { name, to, many: true }
}

impl Entity {
    /// Its fields, in the order in which they are shown.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::Workspace => WORKSPACE_FIELDS,
            Self::App => APP_FIELDS,
            Self::AppVersion => VERSION_FIELDS,
            Self::Build => BUILD_FIELDS,
            Self::BuildStep => BUILD_STEP_FIELDS,
            Self::Deploy => DEPLOY_FIELDS,
            Self::DeployStep => DEPLOY_STEP_FIELDS,
            Self::Event => EVENT_FIELDS,
            Self::ApiKey => KEY_FIELDS,
            Self::WebhookSubscription => WEBHOOK_FIELDS,
        }
    }

    /// Its relations.
    pub const fn relations(self) -> &'static [Relation] {
        match self {
            Self::Deploy => {
                &const {
                    [
                        one("build", Self::Build),
                        one("app", Self::App),
                        one("workspace", Self::Workspace),
                        many("steps", Self::DeployStep),
                    ]
                }
            }
            Self::Build => {
                &const { [one("app", Self::App), many("deploys", Self::Deploy), many("steps", Self::BuildStep)] }
            }
            Self::App => {
                &const {
                    [
                        many("versions", Self::AppVersion),
                        many("deploys", Self::Deploy),
                        many("builds", Self::Build),
                        one("workspace", Self::Workspace),
                    ]
                }
            }
            Self::AppVersion => &const { [one("app", Self::App)] },
            Self::Workspace
            | Self::BuildStep
            | Self::DeployStep
            | Self::Event
            | Self::ApiKey
            | Self::WebhookSubscription => &[],
        }
    }
}

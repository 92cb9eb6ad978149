//! What creates and changes a project.

use offprint_model::config::{BuildConfig, EnvironmentPatch};
use offprint_model::name::{BranchName, InvalidName, ProjectName};
use offprint_model::project::{ProjectPatch, Source};

use crate::json::{Node, Object, Read};
use crate::{build_config, environment_request, source};

/// A project to be made.
#[derive(Clone)]
pub struct ProjectCreation {
    /// Its name.
    pub name: ProjectName,
    /// The branch that deploys to production.
    pub production_branch: BranchName,
    /// How it is built.
    pub build_config: BuildConfig,
    /// What differs from the defaults in production.
    pub production: EnvironmentPatch,
    /// What differs from the defaults in previews.
    pub preview: EnvironmentPatch,
    /// Its repository; `None` for direct uploads.
    pub source: Option<Source>,
}

/// Reads the body of `POST …/projects`. Required are `name` and `production_branch` (which a repository's
/// own may stand in for).
///
/// # Errors
/// The member that breaks a rule.
pub fn read_creation(body: &[u8]) -> Read<ProjectCreation> {
    let value = crate::json::parse(body)?;
    let object = Node::root(&value).object()?;
    let name = object.required("name", read_name)?;
    let branch = object.optional("production_branch", read_branch)?;
    let source =
        object.optional("source", |node| source::read_new(node, branch.as_ref().map(BranchName::as_str)))?;
    let production_branch = match (branch, &source) {
        (Some(branch), _) => branch,
        (None, Some(source)) => BranchName::parse(&source.production_branch)
            .map_err(|rule| crate::json::InvalidMember::new("source.config.production_branch", is(rule)))?,
        (None, None) => object.required("production_branch", read_branch)?,
    };
    let mut build_config = BuildConfig::default();
    if let Some(patch) = object.optional("build_config", build_config::read_patch)? {
        build_config.apply(patch);
    }
    let (production, preview) = read_environments(&object)?;
    Ok(ProjectCreation { name, production_branch, build_config, production, preview, source })
}

/// Reads the body of `PATCH …/projects/{name}`.
///
/// # Errors
/// The member that breaks a rule; among the rules is that a project keeps its name.
pub fn read_patch(body: &[u8], current: &ProjectName) -> Read<ProjectPatch> {
    let value = crate::json::parse(body)?;
    let object = Node::root(&value).object()?;
    object.optional("name", |name| {
        let same = name.str()? == current.as_str();
        if same { Ok(()) } else { Err(name.refuse("cannot be changed: it is part of every URL")) }
    })?;
    let (production, preview) = read_environments(&object)?;
    Ok(ProjectPatch {
        production_branch: object.optional("production_branch", read_branch)?,
        build_config: object.patch("build_config", build_config::read_patch)?,
        production,
        preview,
        source: object.patch("source", source::read_patch)?,
    })
}

/// `null` for `deployment_configs` or for one environment changes nothing: they cannot be absent.
fn read_environments(object: &Object<'_>) -> Read<(EnvironmentPatch, EnvironmentPatch)> {
    let Some(configs) = object.optional("deployment_configs", Node::object)? else {
        return Ok((EnvironmentPatch::default(), EnvironmentPatch::default()));
    };
    let read = |name| Ok(configs.optional(name, environment_request::read_patch)?.unwrap_or_default());
    Ok((read("production")?, read("preview")?))
}

fn read_name(node: &Node<'_>) -> Read<ProjectName> {
    ProjectName::parse(node.str()?).map_err(|rule| node.refuse(is(rule)))
}

fn read_branch(node: &Node<'_>) -> Read<BranchName> {
    BranchName::parse(node.str()?).map_err(|rule| node.refuse(is(rule)))
}

fn is(rule: InvalidName) -> String {
    format!("is not valid: {rule}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::config::Patch;
    use offprint_model::project::PreviewSetting;

    fn create(json: &serde_json::Value) -> Read<ProjectCreation> {
        read_creation(json.to_string().as_bytes())
    }

    fn patch(json: &serde_json::Value) -> Read<ProjectPatch> {
        read_patch(json.to_string().as_bytes(), &ProjectName::parse("demo").unwrap())
    }

    #[test]
    fn the_body_of_wrangler_makes_a_project() {
        let made = create(&serde_json::json!({
            "name": "demo", "production_branch": "main",
            "deployment_configs": {"production": {"compatibility_flags": ["a"]}, "preview": {}}
        }))
        .unwrap();
        assert_eq!(made.production.compatibility_flags, Some(vec!["a".to_owned()]));
        assert!(made.source.is_none() && made.build_config == BuildConfig::default());
    }

    #[test]
    fn a_repository_brings_its_branch_and_gets_the_defaults() {
        let source = serde_json::json!({"type": "github", "config": {
            "owner": "o", "repo_name": "r", "production_branch": "trunk",
            "preview_deployment_setting": "custom", "path_excludes": ["docs/*"]}});
        let made = create(&serde_json::json!({"name": "demo", "source": source})).unwrap();
        let source = made.source.unwrap();
        assert_eq!(made.production_branch.as_str(), "trunk");
        assert_eq!(source.preview_deployment_setting, PreviewSetting::Custom);
        assert_eq!(
            (source.preview_branch_includes, source.path_excludes),
            (vec!["*".into()], vec!["docs/*".into()])
        );
        assert!(source.pr_comments_enabled && source.deployments_enabled);
    }

    #[test]
    fn bodies_that_make_no_project_name_the_member() {
        for (json, expected) in [
            (serde_json::json!({}), "name is required"),
            (serde_json::json!({"name": "demo"}), "production_branch is required"),
            (serde_json::json!({"name": 1}), "name must be a string"),
            (
                serde_json::json!({"name": "Demo", "production_branch": "m"}),
                "name is not valid: a project name holds only lower-case letters, digits and dashes",
            ),
            (
                serde_json::json!({"name": "d", "production_branch": ""}),
                "production_branch is not valid: a branch name has 1 to 255 bytes",
            ),
            (
                serde_json::json!({"name": "d", "production_branch": "m", "source": {"type": "svn"}}),
                "source.type must be one of github, gitlab, forgejo, gitea, git",
            ),
            (
                serde_json::json!({"name": "d", "production_branch": "m", "deployment_configs": {"preview": 1}}),
                "deployment_configs.preview must be an object",
            ),
        ] {
            assert_eq!(create(&json).err().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_patch_tells_absent_from_null() {
        let none = patch(&serde_json::json!({})).unwrap();
        assert!(matches!(none.source, Patch::Keep) && matches!(none.build_config, Patch::Keep));
        let null =
            patch(&serde_json::json!({"source": null, "build_config": null, "production_branch": null}))
                .unwrap();
        assert!(matches!(null.source, Patch::Clear) && matches!(null.build_config, Patch::Clear));
        assert!(null.production_branch.is_none());
        let some =
            patch(&serde_json::json!({"build_config": {"build_command": "x", "root_dir": null}})).unwrap();
        let Patch::Set(build) = some.build_config else { panic!("not set") };
        assert_eq!((build.build_command, build.root_dir), (Patch::Set("x".into()), Patch::Clear));
        assert_eq!(build.destination_dir, Patch::Keep);
    }

    #[test]
    fn a_project_keeps_its_name() {
        assert!(patch(&serde_json::json!({"name": "demo"})).is_ok());
        assert_eq!(patch(&serde_json::json!({"name": "other"})).err().unwrap().path, "name");
    }
}

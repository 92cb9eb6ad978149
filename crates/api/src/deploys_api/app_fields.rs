//! Reading the members of an app.

use std::collections::BTreeMap;

use offprint_model::config::{BuildConfigPatch, Patch};
use offprint_model::name::ProjectName;
use offprint_model::secret::Secret;
use offprint_store::{AppPatch, NewAppFields, Retention, Target};
use offprint_wire::json::{Node, Object, Read};
use uuid::Uuid;

use super::body::{line, only};
use super::problem::Result;

/// Members of a new app.
pub(super) const CREATED_WITH: [&str; 9] = [
    "workspaceId",
    "name",
    "handle",
    "description",
    "publicAccess",
    "retentionTier",
    "config",
    "target",
    "defaultVersionId",
];
/// Members of a change.
pub(super) const UPDATED_WITH: [&str; 7] =
    ["name", "description", "publicAccess", "retentionTier", "config", "target", "defaultVersionId"];

const NAME_CHARS_MAX: usize = 100;
const DESCRIPTION_CHARS_MAX: usize = 1000;
const VARIABLES_MAX: usize = 100;
const VALUE_CHARS_MAX: usize = 5000;
const COMMAND_CHARS_MAX: usize = 5000;
const DIRECTORY_CHARS_MAX: usize = 1000;
/// Members of an app's configuration.
const CONFIG: [&str; 5] = ["nodeVersion", "env", "buildCommand", "outputDirectory", "rootDirectory"];

/// A new app. Its handle is made of its name where none is given.
pub(super) fn new_app(object: &Object<'_>) -> Result<NewAppFields> {
    let name = object.required("name", |node| line(node, NAME_CHARS_MAX))?;
    let handle = object.optional("handle", handle)?;
    let handle = match handle {
        Some(handle) => handle,
        None => object.required("name", |node| {
            ProjectName::parse(&slug(&name)).map_err(|error| node.refuse(format!("makes no handle: {error}")))
        })?,
    };
    Ok(NewAppFields { name, handle, rest: AppPatch { name: None, ..patch(object)? } })
}

/// A change of an app.
pub(super) fn patch(object: &Object<'_>) -> Result<AppPatch> {
    let config = object.optional("config", |node| only(node.object()?, &CONFIG))?;
    let (node_version, env, build) = match &config {
        None => (Patch::Keep, None, BuildConfigPatch::default()),
        Some(config) => {
            let node_version = config.patch("nodeVersion", |node| line(node, 50))?;
            (node_version, config.optional("env", variables)?, build(config)?)
        }
    };
    Ok(AppPatch {
        name: object.optional("name", |node| line(node, NAME_CHARS_MAX))?,
        description: object.patch("description", |node| text(node, DESCRIPTION_CHARS_MAX))?,
        default_version: object.patch("defaultVersionId", |node| node.text())?,
        public_access: object.optional("publicAccess", |node| node.boolean())?,
        retention: object.patch("retentionTier", |node| node.one_of(&Retention::NAMED))?,
        node_version,
        env,
        build,
        target: object.optional("target", target)?,
    })
}

/// How the app is built: what the Pages API calls `build_config`.
fn build(config: &Object<'_>) -> Read<BuildConfigPatch> {
    Ok(BuildConfigPatch {
        build_command: config.patch("buildCommand", |node| text(node, COMMAND_CHARS_MAX))?,
        destination_dir: config.patch("outputDirectory", |node| line(node, DIRECTORY_CHARS_MAX))?,
        root_dir: config.patch("rootDirectory", |node| line(node, DIRECTORY_CHARS_MAX))?,
        ..BuildConfigPatch::default()
    })
}

fn handle(node: &Node<'_>) -> Read<ProjectName> {
    ProjectName::parse(node.str()?).map_err(|error| node.refuse(format!("is not one: {error}")))
}

/// Lower-case letters and digits, and dashes for what is between. A name that has none of them, since it is not written in
/// Latin letters, gets a random one.
fn slug(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-");
    if slug.is_empty() {
        let id = Uuid::new_v4().simple().to_string();
        return format!("app-{}", &id[..8]);
    }
    slug[..slug.len().min(58)].trim_matches('-').to_owned()
}

fn text(node: &Node<'_>, chars_max: usize) -> Read<String> {
    let text = node.text()?;
    if text.chars().count() > chars_max || text.contains('\0') {
        return Err(node.refuse(format!("must have {chars_max} characters at the most, and no NUL")));
    }
    Ok(text)
}

fn variables(node: &Node<'_>) -> Read<BTreeMap<String, String>> {
    let object = node.object()?;
    let mut variables = BTreeMap::new();
    for (name, value) in object.entries() {
        let legal = !name.is_empty()
            && name.len() <= 255
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !legal {
            return Err(value.refuse("must have a name of letters, digits and underscores"));
        }
        variables.insert(name.to_owned(), text(&value, VALUE_CHARS_MAX)?);
    }
    if variables.len() > VARIABLES_MAX {
        return Err(node.refuse(format!("has more than {VARIABLES_MAX} variables")));
    }
    Ok(variables)
}

fn target(node: &Node<'_>) -> Read<Target> {
    let object = node.object()?;
    let is_pages = object.required("type", |node| node.one_of(&[("local", false), ("pages", true)]))?;
    if !is_pages {
        return only(object, &["type"]).map(|_| Target::Local);
    }
    let object = only(object, &["type", "baseUrl", "accountId", "projectName", "apiToken"])?;
    let base_url = object.required("baseUrl", |node| {
        let text = line(node, 1000)?;
        match url::Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text),
            _ => Err(node.refuse("must be an address that begins with http:// or https://")),
        }
    })?;
    Ok(Target::Pages {
        base_url,
        account_id: object.required("accountId", |node| line(node, 100))?,
        project_name: object.required("projectName", |node| line(node, 100))?,
        api_token: object.optional("apiToken", |node| line(node, 500))?.map(Secret::new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_a_slug() {
        for (name, expected) in [("My First App!", "my-first-app"), ("--a--", "a"), ("Größe 2", "gr-e-2")] {
            assert_eq!(slug(name), expected);
        }
        assert!(ProjectName::parse(&slug(&"ab ".repeat(40))).is_ok(), "no longer than a host label");
    }
}

//! The build presets of the frameworks, and how a repository shows which one it uses.
//!
//! Commands and output directories are those that Cloudflare documents (Pages API, "Framework presets"). They
//! are used only where a project says neither how it is built nor where its site is.

/// How the sites of a framework are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The framework, for people.
    pub name: &'static str,
    /// The command that builds.
    pub command: &'static str,
    /// Where it leaves the site, relative to the root directory.
    pub output: &'static str,
    /// What gives the framework away; one is enough.
    signs: &'static [Sign],
}

/// What the root directory of a project holds. Whoever reads the files makes this of them.
pub trait Contents {
    /// Whether `package.json` names this package among its dependencies of any kind.
    fn depends_on(&self, package: &str) -> bool;

    /// The text of a file; `None` when it is not there or no text.
    fn text(&self, file: &str) -> Option<String>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// A package that only this framework's sites need.
    Package(&'static str),
    /// A file that only this framework's sites have.
    File(&'static str),
    /// A file and what is written in it, without blanks and with single quotes.
    Written(&'static str, &'static str),
}

use Sign::{File, Package, Written};

const fn preset(
    name: &'static str,
    command: &'static str,
    output: &'static str,
    signs: &'static [Sign],
) -> Preset {
    Preset { name, command, output, signs }
}

/// In the order in which they are looked for: who builds upon another framework comes before it.
#[rustfmt::skip]
static PRESETS: [Preset; 29] = [
    preset("Analog", "npm run build", "dist/analog/public", &[Package("@analogjs/platform")]),
    preset("Angular", "npm run build", "dist/cloudflare", &[Package("@angular/core")]),
    preset("Astro", "npm run build", "dist", &[Package("astro")]),
    preset("Brunch", "npx brunch build --production", "public", &[Package("brunch")]),
    preset("Create React App", "npm run build", "build", &[Package("react-scripts")]),
    preset("Docusaurus", "npm run build", "build", &[Package("@docusaurus/core")]),
    preset("Elder.js", "npm run build", "public", &[Package("@elderjs/elderjs")]),
    preset("Eleventy", "npx @11ty/eleventy", "_site", &[Package("@11ty/eleventy")]),
    preset("Ember.js", "npx ember-cli build", "dist", &[Package("ember-cli")]),
    preset("Gatsby", "npx gatsby build", "public", &[Package("gatsby")]),
    preset("GitBook", "npx gitbook-cli build", "_book", &[Package("gitbook-cli"), File("book.json")]),
    preset("Gridsome", "npx gridsome build", "dist", &[Package("gridsome")]),
    preset("Next.js (static)", "npx next build", "out", &[
        Written("next.config.js", "output:'export'"), Written("next.config.mjs", "output:'export'"),
        Written("next.config.ts", "output:'export'"),
    ]),
    preset("Next.js", "npx @cloudflare/next-on-pages@1", ".vercel/output/static", &[Package("next")]),
    preset("Nuxt", "npm run build", "dist", &[Package("nuxt"), Package("nuxt3")]),
    preset("Qwik", "npm run build", "dist", &[Package("@builder.io/qwik"), Package("@qwik.dev/core")]),
    preset("React Static", "react-static build", "dist", &[Package("react-static")]),
    preset("Remix", "npm run build", "build/client", &[Package("@remix-run/dev"), Package("@remix-run/react")]),
    preset("SvelteKit", "npm run build", ".svelte-kit/cloudflare", &[Package("@sveltejs/kit")]),
    preset("Svelte", "npm run build", "public", &[Package("svelte")]),
    preset("Umi", "npx umi build", "dist", &[Package("umi")]),
    preset("VitePress", "npx vitepress build", ".vitepress/dist", &[Package("vitepress")]),
    preset("Vue", "npm run build", "dist", &[Package("vue")]),
    preset("Hugo", "hugo", "public", &[
        File("hugo.toml"), File("hugo.yaml"), File("hugo.json"), Written("config.toml", "baseURL="),
    ]),
    preset("Zola", "zola build", "public", &[File("zola.toml"), Written("config.toml", "base_url=")]),
    preset("MkDocs", "mkdocs build", "site", &[File("mkdocs.yml"), File("mkdocs.yaml")]),
    preset("Pelican", "pelican content", "output", &[File("pelicanconf.py")]),
    preset("Slate", "./deploy.sh", "build", &[File("source/index.html.md")]),
    preset("Jekyll", "jekyll build", "_site", &[File("_config.yml"), Written("Gemfile", "gem'jekyll'")]),
];

/// The preset of the framework that a root directory uses. `None`: no known one.
pub fn detect(contents: &dyn Contents) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.signs.iter().any(|sign| sign.shows_in(contents)))
}

/// The files in which frameworks show, besides `package.json`; relative to the root directory.
pub fn telling_files() -> impl Iterator<Item = &'static str> {
    let signs = PRESETS.iter().flat_map(|preset| preset.signs);
    signs.filter_map(|sign| match *sign {
        File(name) | Written(name, _) => Some(name),
        Package(_) => None,
    })
}

impl Sign {
    fn shows_in(self, contents: &dyn Contents) -> bool {
        match self {
            Package(name) => contents.depends_on(name),
            File(name) => contents.text(name).is_some(),
            Written(name, part) => contents.text(name).is_some_and(|text| squeezed(&text).contains(part)),
        }
    }
}

/// A text without blanks and with one kind of quotes, so that taste in layout does not hide a setting.
fn squeezed(text: &str) -> String {
    let kept = text.chars().filter(|char| !char.is_whitespace());
    kept.map(|char| if matches!(char, '"' | '`') { '\'' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(&'static [&'static str], &'static [(&'static str, &'static str)]);

    impl Contents for Folder {
        fn depends_on(&self, package: &str) -> bool {
            self.0.contains(&package)
        }

        fn text(&self, file: &str) -> Option<String> {
            self.1.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned())
        }
    }

    #[test]
    fn each_framework_is_known_by_its_signs() {
        for (packages, files, expected) in [
            (&["astro"][..], &[][..], Some(("Astro", "npm run build", "dist"))),
            (
                &["@analogjs/platform", "@angular/core"],
                &[],
                Some(("Analog", "npm run build", "dist/analog/public")),
            ),
            (&["@angular/core"], &[], Some(("Angular", "npm run build", "dist/cloudflare"))),
            (
                &["svelte", "@sveltejs/kit"],
                &[],
                Some(("SvelteKit", "npm run build", ".svelte-kit/cloudflare")),
            ),
            (&["svelte"], &[], Some(("Svelte", "npm run build", "public"))),
            (&["vue", "nuxt"], &[], Some(("Nuxt", "npm run build", "dist"))),
            (&["vue", "vitepress"], &[], Some(("VitePress", "npx vitepress build", ".vitepress/dist"))),
            (&["vue"], &[], Some(("Vue", "npm run build", "dist"))),
            (&["@11ty/eleventy"], &[], Some(("Eleventy", "npx @11ty/eleventy", "_site"))),
            (&["gatsby", "react"], &[], Some(("Gatsby", "npx gatsby build", "public"))),
            (&["next"], &[], Some(("Next.js", "npx @cloudflare/next-on-pages@1", ".vercel/output/static"))),
            (
                &["next"],
                &[("next.config.mjs", "export default {\n  output: \"export\",\n}")],
                Some(("Next.js (static)", "npx next build", "out")),
            ),
            (&[], &[("config.toml", "baseURL = 'https://x'")], Some(("Hugo", "hugo", "public"))),
            (&[], &[("hugo.yaml", "")], Some(("Hugo", "hugo", "public"))),
            (&[], &[("config.toml", "base_url = \"https://x\"")], Some(("Zola", "zola build", "public"))),
            (&[], &[("mkdocs.yml", "")], Some(("MkDocs", "mkdocs build", "site"))),
            (&[], &[("Gemfile", "gem \"jekyll\"\n")], Some(("Jekyll", "jekyll build", "_site"))),
            (&["react"], &[("config.toml", "x = 1"), ("index.html", "")], None),
        ] {
            let found =
                detect(&Folder(packages, files)).map(|preset| (preset.name, preset.command, preset.output));
            assert_eq!(found, expected, "{packages:?} {files:?}");
        }
    }

    #[test]
    fn every_preset_is_found_by_each_of_its_signs() {
        for preset in &PRESETS {
            for sign in preset.signs {
                let found = match *sign {
                    Package(name) => detect(&Folder(Box::leak(Box::new([name])), &[])),
                    File(name) => detect(&Folder(&[], Box::leak(Box::new([(name, "")])))),
                    Written(name, part) => detect(&Folder(&[], Box::leak(Box::new([(name, part)])))),
                };
                assert_eq!(found.map(|found| found.name), Some(preset.name), "{sign:?}");
            }
        }
    }
}

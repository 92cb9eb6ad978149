use super::*;

#[test]
fn what_bundlers_write_is_fingerprinted() {
    for path in [
        // webpack, Create React App, Angular 16
        "/main.8f3c2a1b.js",
        "/main.8f3c2a1b.js.map",
        "/static/js/2.8f3c2a1b.chunk.js",
        "/static/css/main.07a1cf26.chunk.css",
        "/static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg",
        "/runtime.61f4b1c2d3e4f506.js",
        "/6ce24c58023cc2f8fd88.png",
        "/8f3c2a1b.js",
        "/main.83920174.js",
        "/main.cafe2023.js",
        // Vite, Rollup
        "/assets/index-DiwrgTda.js",
        "/assets/index-BfTDxkqU.js",
        "/assets/index-BfTDxkqU.css",
        "/assets/index-B_x7-dKq.js",
        "/assets/index-DQ-1aB_x.js",
        "/assets/index-4sK2mQ9z.js",
        "/assets/index.4d8f1a0c.js",
        "/assets/react-CHdo91hT.svg",
        "/assets/Inter-Bold-Cq3kR8yL.woff2",
        // esbuild, Angular 17 and later, Bun
        "/chunk-4ZQHYRXK.js",
        "/chunk-QWERTYUI.js",
        "/chunk-CALENDAR.js",
        "/main-ABCDEF12.js",
        "/logo-4ZQHYRXK.png",
        "/logo-QWRTPSDF.png",
        "/chunk-2tzbk5n3.js",
        // Next
        "/_next/static/chunks/123.a1b2c3d4.js",
        "/_next/static/chunks/app/layout-0f1e2d3c4b5a6978.js",
        "/_next/static/Zk3vXx1pQ0aBcDeFgHiJk/_buildManifest.js",
        "/docs/_next/static/media/font.woff2",
        // Nuxt, SvelteKit, Astro, Parcel, Gatsby, Rails, Django
        "/_nuxt/entry.f3a2b1c4.js",
        "/_nuxt/B7a9xKq2.js",
        "/_nuxt/DiwrgTda.js",
        "/_app/immutable/entry/start.CZ4pXhN7.js",
        "/_app/immutable/nodes/0.js",
        "/_astro/index.BKxnfBBa.css",
        "/_astro/hero.Bq7zT_Xe_Z1b2c3.webp",
        "/index.1a2b3c4d.css",
        "/app-0f1e2d3c4b5a69788796.js",
        "/assets/application-4dd5b109ee3439da54f5bdfd78a80473e1f2a3b4c5d6e7f8091a2b3c4d5e6f70.js",
        "/static/base.27e20196a850.js",
        "/files/terms.6ce24c58023cc2f8fd88.pdf",
        "/IMAGE.6CE24C58023CC2F8FD88.PNG",
    ] {
        assert!(is_fingerprinted(path), "{path}");
    }
}

#[test]
fn what_people_write_is_not() {
    for path in [
        "",
        "/",
        "/app.js",
        "/jquery-3.7.1.min.js",
        "/about-our-company.css",
        "/2024-01-15-report.pdf",
        "/bootstrap.bundle.min.js",
        "/Internationalization.js",
        "/documentation.js",
        "/JavaScriptGuide.pdf",
        "/IMG_20240115.jpg",
        "/IMG_1234.JPG",
        "/DSC01234.JPG",
        "/photo-DSC01234.JPG",
        "/photo-IMG_1234.jpg",
        "/P1010001.jpg",
        "/deadbeef.txt",
        "/deadbeef.js",
        "/notes-8f3c2a1b.txt",
        "/report-Q3FY2024.pdf",
        "/FinalPDF.pdf",
        "/MyCV2024.pdf",
        "/feed2024.xml",
        "/cafe2023.jpg",
        "/photo-cafe2023.jpg",
        "/photo-12dec2023.jpg",
        "/photo-05feb24.css",
        "/banner-1200x630.png",
        "/banner-1280x720.js",
        "/release.20240115.js",
        "/release.15012024.js",
        "/release.01152024.js",
        "/product-12345678.jpg",
        "/app.1700000000000.js",
        "/HomePage.js",
        "/demo-HomePage.js",
        "/demo-userCard.js",
        "/logo-McDonald.png",
        "/IMG-PORTRAIT.jpg",
        "/photo-Menu2024.jpg",
        "/Guide-To-Pages.js",
        "/Top-10-Lists.png",
        "/get-in-touch.css",
        "/how-to-use-it.js",
        "/main-layout12.js",
        "/fonts/Inter-SemiBold.woff2",
        "/fonts/OpenSans-Regular.woff2",
        "/.8f3c2a1b",
        "/caf\u{e9}-\u{e9}\u{e9}\u{e9}\u{e9}.js",
        "/_next/static",
        "/x_next/static/app.js",
        "/_next/statics/app.js",
        "/_app/immutable.js",
    ] {
        assert!(!is_fingerprinted(path), "{path}");
    }
}

#[test]
fn pages_are_never_fingerprinted() {
    for path in [
        "/post.8f3c2a1b.html",
        "/post-DiwrgTda.HTM",
        "/6ce24c58023cc2f8fd88fe9d219db6c6.html",
        "/6ce24c58023cc2f8fd88fe9d219db6c6",
        "/_next/static/page.html",
        "/_app/immutable/page",
        "/main.8f3c2a1b.js/",
    ] {
        assert!(!is_fingerprinted(path), "{path}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_path(path in "\\PC*") {
        is_fingerprinted(&path);
    }

    #[test]
    fn long_hexadecimal_hashes_are_seen(hash in "[0-9a-f]{14}[a-f][0-9]", name in "[a-z]{1,9}[.~_-]") {
        let path = format!("/a/{name}{hash}.js");
        proptest::prop_assert!(is_fingerprinted(&path));
        let page = format!("/a/{name}{hash}.html");
        proptest::prop_assert!(!is_fingerprinted(&page));
    }

    #[test]
    fn lower_case_words_are_names(words in "[a-z]{1,14}([-_.][a-z]{1,14}){0,4}", extension in "(js|css|png|pdf)") {
        let path = format!("/{words}.{extension}");
        proptest::prop_assert!(!is_fingerprinted(&path));
    }
}

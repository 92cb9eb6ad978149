//! How far a deployment is: a bar on a terminal, plain lines elsewhere, always on standard error.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use offprint_client::deploy::{Event, Observer};

use super::output;

/// Plain lines while uploading: one each time so many percent more have arrived.
const PLAIN_STEP_PERCENT: u64 = 25;

/// An observer that shows what it is told. Call [`output::set_bar`] with `None` when all is over.
pub(crate) fn observer() -> Observer {
    let display = Display { bars: io::stderr().is_terminal(), upload: Mutex::default() };
    Arc::new(move |event| display.show(event))
}

struct Display {
    bars: bool,
    upload: Mutex<Upload>,
}

#[derive(Default)]
struct Upload {
    bar: Option<ProgressBar>,
    assets: usize,
    bytes: u64,
    bytes_done: u64,
}

impl Display {
    fn show(&self, event: Event) {
        match event {
            Event::Found { assets } => {
                self.start("Hashing", "{pos}/{len} files", assets as u64);
                if !self.bars {
                    output::note(format_args!("Hashing {assets} {}", files(assets)));
                }
            }
            Event::Hashed => self.advance(1),
            Event::Missing { assets: 0, .. } => {
                output::set_bar(None);
                output::note(format_args!("Nothing to upload"));
            }
            Event::Missing { assets, bytes, of } => {
                output::note(format_args!(
                    "Uploading {assets} of {of} {} ({})",
                    files(of),
                    HumanBytes(bytes)
                ));
                self.start("Uploading", "{bytes}/{total_bytes} {bytes_per_sec}", bytes);
                let mut upload = self.upload.lock().unwrap_or_else(|e| e.into_inner());
                (upload.assets, upload.bytes) = (assets, bytes);
            }
            Event::Uploaded { bytes, .. } => self.uploaded(bytes),
            Event::Created(deployment) => {
                output::set_bar(None);
                output::note(format_args!("Deployment {} made, going live", deployment.id));
                if self.bars {
                    let spinner = ProgressBar::new_spinner().with_message("Going live");
                    spinner.enable_steady_tick(Duration::from_millis(100));
                    output::set_bar(Some(spinner));
                }
            }
            Event::Moved(deployment) => {
                let stage = &deployment.latest_stage;
                if stage.name != "deploy" {
                    output::note(format_args!("Stage {}: {}", stage.name, stage.status));
                }
            }
            Event::Warning(text) => output::note(format_args!("warning: {text}")),
        }
    }

    fn start(&self, what: &'static str, counts: &str, length: u64) {
        if !self.bars {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(15));
        let template = format!("{{msg:9}} [{{bar:32}}] {counts}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what);
        output::set_bar(Some(bar.clone()));
        self.upload.lock().unwrap_or_else(|e| e.into_inner()).bar = Some(bar);
    }

    fn advance(&self, by: u64) {
        if !self.bars {
            return;
        }
        if let Some(bar) = &self.upload.lock().unwrap_or_else(|e| e.into_inner()).bar {
            bar.inc(by);
        }
    }

    fn uploaded(&self, bytes: u64) {
        self.advance(bytes);
        let mut upload = self.upload.lock().unwrap_or_else(|e| e.into_inner());
        let step = |done: u64| done * (100 / PLAIN_STEP_PERCENT) / upload.bytes.max(1);
        let (before, after) = (step(upload.bytes_done), step(upload.bytes_done + bytes));
        upload.bytes_done += bytes;
        if !self.bars && after > before {
            let (done, all) = (HumanBytes(upload.bytes_done), HumanBytes(upload.bytes));
            output::note(format_args!("Uploaded {done} of {all}"));
        }
    }
}

/// The word for so many.
pub(crate) const fn files(count: usize) -> &'static str {
    if count == 1 { "file" } else { "files" }
}

//! Files that change while the program runs. On a paused clock; the files are real.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::Registry;
use seawall::config::{Loader, Watch};
use seawall::telemetry::{Event, EventKind, ReloadEvent};

use crate::support::Directory;

const EVERY: Duration = Duration::from_secs(1);

fn file(attempts: &str) -> String {
    format!("resilience4j.retry.instances.orders: {{maxAttempts: {attempts}, waitDuration: 1s}}\n")
}

struct Scene {
    registry: Registry,
    directory: Directory,
    watch: Watch,
    events: Arc<Mutex<Vec<ReloadEvent>>>,
}

impl Scene {
    fn new() -> Self {
        let directory = Directory::new();
        let path = directory.path("application.yml");
        fs::write(&path, file("3")).unwrap();
        let registry = Registry::new();
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = events.clone();
        registry.observe(move |event: &Event<'_>| {
            if let EventKind::Reload(reload) = event.kind {
                seen.lock().unwrap().push(reload);
            }
        });
        let watch = Loader::new().watch(&path, &registry, EVERY).unwrap();
        Self { registry, directory, watch, events }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path("application.yml")
    }

    fn attempts(&self) -> u32 {
        self.registry.retries().find("orders").unwrap().config().max_attempts()
    }

    fn events(&self) -> Vec<ReloadEvent> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

/// Long enough for two looks.
async fn a_while() {
    tokio::time::sleep(2 * EVERY + EVERY / 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_good_change_is_applied_in_place() {
    let scene = Scene::new();
    let retry = scene.registry.retries().find("orders").unwrap();
    a_while().await;
    assert_eq!(scene.events(), [], "nothing has changed");
    fs::write(scene.path(), file("5")).unwrap();
    a_while().await;
    assert_eq!(retry.config().max_attempts(), 5);
    assert_eq!(scene.events(), [ReloadEvent::Applied { created: 0, updated: 1 }]);
    assert_eq!(scene.watch.reloads(), (2, 0));
    assert_eq!(scene.watch.config().retries().get("orders").unwrap().max_attempts(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_bad_change_is_refused_whole_and_told_once() {
    let scene = Scene::new();
    let bad = file("5") + "resilience4j.bulkhead.instances.orders.maxConcurrentCalls: 0\n";
    fs::write(scene.path(), bad).unwrap();
    a_while().await;
    a_while().await;
    assert_eq!(scene.attempts(), 3);
    assert!(scene.registry.bulkheads().find("orders").is_none());
    assert_eq!(scene.events(), [ReloadEvent::Refused { errors: 1 }]);
    let error = scene.watch.last_error().unwrap().to_string();
    assert!(error.contains("maxConcurrentCalls: 0 is not allowed"), "{error}");
    fs::write(scene.path(), file("6")).unwrap();
    a_while().await;
    assert_eq!(scene.attempts(), 6);
    assert!(scene.watch.last_error().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_missing_file_leaves_what_was_good_last() {
    let scene = Scene::new();
    fs::remove_file(scene.path()).unwrap();
    a_while().await;
    a_while().await;
    assert_eq!(scene.attempts(), 3);
    assert_eq!(scene.events(), [ReloadEvent::Refused { errors: 1 }]);
    assert!(scene.watch.last_error().unwrap().to_string().contains("cannot be read"));
    fs::write(scene.path(), file("3")).unwrap();
    a_while().await;
    assert_eq!(scene.events(), [ReloadEvent::Applied { created: 0, updated: 0 }]);
    assert!(scene.watch.last_error().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_being_written_is_waited_for() {
    let scene = Scene::new();
    let pipeline = "seawall.pipelines.shop: {deadline: 5s, retry: orders}\n";
    fs::write(scene.path(), file("3") + pipeline).unwrap();
    a_while().await;
    assert_eq!(scene.events(), [ReloadEvent::Applied { created: 1, updated: 0 }]);
    // It looks once a second, and a little later where it finds something else.
    let new = file("15") + pipeline;
    tokio::time::sleep(EVERY / 2 - Duration::from_millis(50)).await;
    for half in ["", &new[..new.find("15").unwrap() + 1], &file("1")] {
        fs::write(scene.path(), half).unwrap();
        tokio::time::sleep(Duration::from_millis(75)).await;
        assert_eq!(scene.events(), [], "{half}");
    }
    fs::write(scene.path(), &new).unwrap();
    a_while().await;
    assert_eq!(scene.events(), [ReloadEvent::Applied { created: 0, updated: 1 }]);
    assert_eq!(scene.attempts(), 15);
}

/// As editors do that write another and rename it, and whoever removes the old one before.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_gone_for_a_moment_is_no_news() {
    let scene = Scene::new();
    tokio::time::sleep(EVERY - Duration::from_millis(50)).await;
    fs::remove_file(scene.path()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    fs::write(scene.path(), file("3")).unwrap();
    a_while().await;
    assert_eq!(scene.events(), []);
    assert!(scene.watch.last_error().is_none());
}

#[cfg(unix)]
fn make_fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Whoever waits for a writer at the other end waits no longer.
#[cfg(unix)]
fn let_go(fifo: &Path) {
    drop(fs::OpenOptions::new().read(true).write(true).open(fifo));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let directory = Directory::new();
    let fifo = directory.path("fifo.yml");
    make_fifo(&fifo);
    let (told, hear) = std::sync::mpsc::channel();
    let path = fifo.clone();
    let load = std::thread::spawn(move || told.send(Loader::new().load(path).map(drop)).is_ok());
    let loaded = hear.recv_timeout(Duration::from_secs(5));
    let_go(&fifo);
    load.join().unwrap();
    let error = loaded.expect("it waits").unwrap_err().to_string();
    assert!(error.ends_with("cannot be read: it is not a file"), "{error}");

    let folder = directory.path("folder.yml");
    fs::create_dir(&folder).unwrap();
    let error = Loader::new().load(&folder).unwrap_err().to_string();
    assert!(error.ends_with("cannot be read: it is not a file"), "{error}");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_pipe_in_its_place_is_refused_and_the_runtime_ends() {
    let scene = Scene::new();
    fs::remove_file(scene.path()).unwrap();
    make_fifo(&scene.path());
    let path = scene.path();
    #[expect(
        clippy::disallowed_methods,
        reason = "the paused clock stands while a thread is blocked"
    )]
    std::thread::spawn(move || {
        while path.exists() {
            std::thread::sleep(Duration::from_secs(1));
            let_go(&path);
        }
    });
    a_while().await;
    let error = scene.watch.last_error().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.ends_with("it is not a file"), "{error}");
    assert_eq!(scene.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn another_file_in_its_place_is_seen() {
    let scene = Scene::new();
    let new = scene.directory.path("new");
    fs::write(&new, file("7")).unwrap();
    fs::rename(&new, scene.path()).unwrap();
    a_while().await;
    assert_eq!(scene.attempts(), 7);
}

/// As Kubernetes does: the file is a link to `..data/file`, and `..data` is swapped.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_config_maps_links_are_followed() {
    use std::os::unix::fs::symlink;
    let directory = Directory::new();
    for (version, attempts) in [("v1", "3"), ("v2", "8")] {
        fs::create_dir(directory.path(version)).unwrap();
        fs::write(directory.path(version).join("application.yml"), file(attempts)).unwrap();
    }
    symlink("v1", directory.path("..data")).unwrap();
    symlink(Path::new("..data/application.yml"), directory.path("application.yml")).unwrap();
    let registry = Registry::new();
    let watch = Loader::new().watch(directory.path("application.yml"), &registry, EVERY).unwrap();
    symlink("v2", directory.path("..data_tmp")).unwrap();
    fs::rename(directory.path("..data_tmp"), directory.path("..data")).unwrap();
    a_while().await;
    assert_eq!(registry.retries().find("orders").unwrap().config().max_attempts(), 8);
    drop(watch);
}

#[tokio::test(start_paused = true)]
async fn dropped_it_watches_no_longer_and_leaves_no_task() {
    let scene = Scene::new();
    let metrics = tokio::runtime::Handle::current().metrics();
    let Scene { registry, directory, watch, .. } = scene;
    assert_eq!(metrics.num_alive_tasks(), 1);
    drop(watch);
    // At once, and not only when it would have looked again.
    tokio::task::yield_now().await;
    assert_eq!(metrics.num_alive_tasks(), 0);
    fs::write(directory.path("application.yml"), file("5")).unwrap();
    a_while().await;
    assert_eq!(registry.retries().find("orders").unwrap().config().max_attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_touched() {
    let scene = Scene::new();
    let budget = "resilience4j.retry.instances.users: {budget: {kind: tokens}}\n";
    fs::write(scene.path(), file("3") + budget).unwrap();
    a_while().await;
    assert_eq!(scene.events(), [ReloadEvent::Applied { created: 1, updated: 0 }]);
    fs::write(scene.path(), file("4") + budget).unwrap();
    a_while().await;
    assert_eq!(scene.events(), [ReloadEvent::Applied { created: 0, updated: 1 }]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_wrong_at_the_start_is_an_error() {
    let directory = Directory::new();
    let path = directory.path("application.yml");
    let errors = Loader::new().watch(&path, &Registry::new(), EVERY).unwrap_err();
    assert!(errors.to_string().contains("cannot be read"), "{errors}");
    fs::write(&path, file("0")).unwrap();
    assert!(Loader::new().watch(&path, &Registry::new(), EVERY).is_err());
}

//! One contract, every place for blobs.

use std::sync::Arc;

use offprint_model::asset::BlobHash;
use offprint_store::blobs::{BlobStore, Directory, Memory, NewBlob};
use offprint_store::{Entity, StoreError};
use tokio::io::AsyncReadExt;

fn blob(text: &str) -> NewBlob {
    NewBlob { hash: BlobHash::of(text.as_bytes()), bytes: text.as_bytes().to_vec().into() }
}

async fn contract(blobs: Arc<dyn BlobStore>) {
    blobs.put(Vec::new()).await.unwrap();
    let few = [blob(""), blob("a"), blob("a"), blob("b")];
    blobs.put(few.to_vec()).await.unwrap();
    let many: Vec<NewBlob> = (0..100).map(|n| blob(&format!("many {n}"))).collect();
    let (one, two) = tokio::join!(blobs.put(many.clone()), blobs.put(many.clone()));
    one.and(two).unwrap();
    for stored in many.iter().chain(&few) {
        assert_eq!(blobs.read(&stored.hash).await.unwrap(), stored.bytes);
    }
    let absent = BlobHash::of(b"absent");
    assert!(matches!(blobs.read(&absent).await, Err(StoreError::NotFound(Entity::Blob))));
    assert!(matches!(blobs.open(&absent).await, Err(StoreError::NotFound(Entity::Blob))));

    let a = blob("a").hash;
    let wanted = vec![(a, 1), (blob("b").hash, 7), (absent, 1), (blob("").hash, 0)];
    assert_eq!(blobs.missing(wanted).await.unwrap(), [blob("b").hash, absent]);
    let listed = blobs.list(a.as_bytes()[0]).await.unwrap();
    assert!(listed.iter().any(|found| found.hash == a && found.size == 1));

    let (mut file, size) = blobs.open(&a).await.unwrap();
    blobs.remove(vec![a, absent]).await.unwrap();
    assert!(matches!(blobs.read(&a).await, Err(StoreError::NotFound(Entity::Blob))));
    let mut text = String::new();
    file.read_to_string(&mut text).await.unwrap();
    assert_eq!((text.as_str(), size), ("a", 1));
    blobs.put(vec![blob("a")]).await.unwrap();
    assert_eq!(blobs.read(&a).await.unwrap(), "a");
}

#[tokio::test]
async fn a_directory_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    contract(Arc::new(Directory::open(dir.path().join("blobs")).await.unwrap())).await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract(Arc::new(Memory::default())).await;
}

#[tokio::test]
async fn what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let temporaries = dir.path().join("tmp");
    let living = Directory::open(dir.path().to_owned()).await.unwrap();
    std::fs::create_dir(temporaries.join("dead")).unwrap();
    std::fs::write(temporaries.join("dead.lock"), "").unwrap();
    std::fs::write(temporaries.join("dead").join("0"), "half").unwrap();
    let held = || std::fs::read_dir(&temporaries).unwrap().count();
    assert_eq!(held(), 4);
    let second = Directory::open(dir.path().to_owned()).await.unwrap();
    assert_eq!(held(), 4, "two directories with their locks");
    living.put(vec![blob("a")]).await.unwrap();
    drop((living, second));
    assert_eq!(held(), 0);
}

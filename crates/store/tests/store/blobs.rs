//! One contract, every place for blobs.

use std::sync::Arc;

use offprint_model::asset::BlobHash;
use offprint_model::encoding::{Encoding, EncodingSet};
use offprint_store::blobs::{BlobStore, Directory, Memory, NewBlob};
use offprint_store::compress::decompress;
use offprint_store::{Entity, StoreError};
use tokio::io::AsyncReadExt;

use crate::support::pack_of;

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

async fn contract_of_packs(blobs: Arc<dyn BlobStore>) {
    let text = "All work and no play makes Jack a dull boy. ".repeat(20);
    let (blob, short) = (BlobHash::of(text.as_bytes()), BlobHash::of(b"short"));
    assert_eq!(blobs.variants(&blob).await.unwrap(), None);
    assert_eq!(blobs.unpacked(vec![blob, short]).await.unwrap(), [blob, short]);
    let packs = vec![pack_of(blob, text.as_bytes()), pack_of(short, b"short")];
    let (one, two) = tokio::join!(blobs.put_packs(packs.clone()), blobs.put_packs(packs.clone()));
    one.and(two).unwrap();

    let variants = blobs.variants(&blob).await.unwrap().unwrap();
    assert_eq!(variants.encodings(), EncodingSet::ALL);
    for encoding in Encoding::ALL {
        let read = blobs.read_variant(&blob, encoding).await.unwrap();
        assert_eq!(decompress(&read, encoding, text.len()).unwrap(), text.as_bytes());
        let (file, length) = blobs.open_variant(&blob, encoding).await.unwrap();
        assert_eq!((length, read.len() as u64), (variants.length(encoding), length));
        let mut streamed = Vec::new();
        file.take(length).read_to_end(&mut streamed).await.unwrap();
        assert_eq!(streamed, read);
        let none = blobs.read_variant(&short, encoding).await;
        assert!(matches!(none, Err(StoreError::NotFound(Entity::Blob))));
        assert!(blobs.open_variant(&short, encoding).await.is_err());
    }
    assert!(blobs.variants(&short).await.unwrap().unwrap().encodings().is_empty());
    assert!(blobs.unpacked(vec![blob, short]).await.unwrap().is_empty());

    // A pack is no blob, and goes with its blob or alone.
    let first_byte = blob.as_bytes()[0];
    assert!(blobs.list(first_byte).await.unwrap().iter().all(|found| found.hash != blob));
    assert_eq!(blobs.list_packs(first_byte).await.unwrap()[0].hash, blob);
    let (mut file, _) = blobs.open_variant(&blob, Encoding::Gzip).await.unwrap();
    blobs.put(vec![NewBlob { hash: blob, bytes: text.into() }]).await.unwrap();
    blobs.remove(vec![blob]).await.unwrap();
    blobs.remove_packs(vec![short, blob]).await.unwrap();
    assert_eq!(blobs.unpacked(vec![blob, short]).await.unwrap(), [blob, short]);
    assert_eq!(file.read_u16().await.unwrap(), 0x1f8b, "it stays readable");
}

#[tokio::test]
async fn a_directory_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Arc::new(Directory::open(dir.path().join("blobs")).await.unwrap());
    contract(directory.clone()).await;
    contract_of_packs(directory).await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract(Arc::new(Memory::default())).await;
    contract_of_packs(Arc::new(Memory::default())).await;
}

/// A damaged disk costs the time to make a pack again.
#[tokio::test]
async fn half_a_pack_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Directory::open(dir.path().to_owned()).await.unwrap();
    let text = "Jack ".repeat(100);
    let blob = BlobHash::of(text.as_bytes());
    blobs.put_packs(vec![pack_of(blob, text.as_bytes())]).await.unwrap();
    let path = dir.path().join(&blob.to_hex()[..2]).join(blob.to_hex() + ".variants");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 1, 24, 25, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(blobs.variants(&blob).await.unwrap(), None, "{length}");
        assert_eq!(blobs.unpacked(vec![blob]).await.unwrap(), [blob]);
        assert!(blobs.read_variant(&blob, Encoding::Brotli).await.is_err());
    }
    blobs.put_packs(vec![pack_of(blob, text.as_bytes())]).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), whole, "the same again");
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

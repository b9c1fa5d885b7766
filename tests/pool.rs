use asyncpal::*;
use std::time::Duration;
#[test]
fn smoke() {
    let pool = ThreadPool::builder().max_workers(8).build().unwrap();
    for i in 0..100_000u64 {
        assert_eq!(pool.run(move || i).unwrap(), i);
    }
    assert!(pool.count_workers() <= 2, "{pool:?}");
    let hs: Vec<_> = (0..100_000u64).map(|i| pool.submit(move || i).unwrap()).collect();
    let s: u64 = hs.into_iter().map(|h| h.collect().unwrap()).sum();
    assert_eq!(s, 99_999 * 50_000);
    let v: Vec<_> =
        pool.map(|x: u64| x * 2, 0..1000).chunk_size(7).collect::<Result<_, _>>().unwrap();
    assert_eq!(v, (0..1000).map(|x| x * 2).collect::<Vec<_>>());
    let mut v: Vec<_> = pool
        .map_unordered(|x: u64| x * 2, 0..1000)
        .chunk_size(7)
        .collect::<Result<_, _>>()
        .unwrap();
    v.sort();
    assert_eq!(v, (0..1000).map(|x| x * 2).collect::<Vec<_>>());
    assert!(pool.join_timeout(Duration::from_secs(5)));
    assert_eq!(pool.count_workers(), 0);
    pool.run(|| ()).unwrap();
    println!("{pool:?}");
}

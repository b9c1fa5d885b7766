//! What comes out of a queue: all that went in, once, and in its producers' order.

/// Checks what consumers got: all of `pushed`, each once, and no consumer got two items of one
/// producer in the wrong order.
///
/// Items of one producer share their tens.
pub(crate) fn each_once_in_order(popped: &[Vec<usize>], pushed: &[usize]) {
    for consumer in popped {
        for (at, earlier) in consumer.iter().enumerate() {
            let later = &consumer[at + 1..];
            assert!(
                later.iter().all(|later| later / 10 != earlier / 10 || later > earlier),
                "{consumer:?} came out in the wrong order"
            );
        }
    }
    let mut all = popped.concat();
    all.sort_unstable();
    assert_eq!(all, pushed);
}
